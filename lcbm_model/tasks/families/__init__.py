"""The five task families, one file each. A `...Task` class here is registered by being here."""
