"""One reader a file. A file here is a registered source: `lcbm_model.corpus.registry` finds it by its `READER`."""
