"""The Large Content and Behavior Model: content, behaviour, verbalization, vision, training, simulator, evaluation."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "behavior": ["Observation", "PercentileScale"],
        "content": ["Communicator", "Content", "Media", "Scene"],
        "metrics": ["Metric", "get_metric", "metric_names", "register_metric"],
        "prediction": ["Prediction", "SimulatorIdentity", "win_probabilities"],
        "simulator": ["Context", "EnsembleSimulator", "Known", "LocalSimulator", "Simulator", "load_simulator"],
    },
)
