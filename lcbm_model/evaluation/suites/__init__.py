"""One suite a file. A file here is a registered suite: `lcbm_model.evaluation.registry` finds it by its `...Suite`."""
