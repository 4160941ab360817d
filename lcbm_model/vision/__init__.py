"""Pictures: opened safely, encoded by a tower, connected to the language model."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "connector": ["Connector", "untuned_connector"],
        "efficientnet": ["EfficientNetLiteConfig", "EfficientNetLiteTower", "load_tower"],
        "eyes": ["Eyes", "LlavaEyes", "Sight", "TowerEyes"],
        "images": ["open_picture", "to_pixels"],
    },
)
