"""The five task families: records in, training and evaluation examples out, both ways."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base": ["BehaviorExample", "Example", "PairExample", "Task", "TextExample", "behavior_example"],
        "registry": ["get_task", "task_classes", "task_names"],
    },
)
