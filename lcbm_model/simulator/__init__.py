"""The seam: the `Simulator` protocol and the backends that play the audience."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base": ["Context", "Known", "Simulator", "StreamingSimulator"],
        "calibration": ["Calibration", "compare_predictions"],
        "conformal": ["ConformalCalibration", "fit_entry", "load_calibration"],
        "ensemble": ["EnsembleSimulator"],
        "load": ["load_simulator"],
        "local": ["LocalSimulator"],
        "openai_compatible": ["OpenAICompatibleSimulator"],
        "partial": ["PartialAnswer"],
        "score_cache": ["CachedSimulator"],
        "shared": ["SharedSimulator"],
        "vllm_offline": ["VLLMSimulator"],
        "vllm_served": ["VLLMServedSimulator"],
        "stream": ["predict_stream"],
    },
)
