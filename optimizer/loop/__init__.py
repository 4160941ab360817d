"""The loop of a run: retrieve, draft, screen, simulate, critique, select, until a budget ends it.

`state.py` is what a checkpoint holds, `context.py` what a process brings along, `nodes/` the steps, `graph.py` their
order, `budget.py` when to stop, `run.py` the driver behind `optimize`, `stream` and `resume`.
"""
