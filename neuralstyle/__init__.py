"""Neural style transfer the way it was first published: the original VGG-19 in TensorFlow graph mode."""

import lazy_loader

# Each name's module is imported when the name is first used: `--help` and reading a recipe need no
# TensorFlow.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "files": ["InputError"],
        "loss.losses": ["loss_and_gradient"],
        "loss.objectives": ["Objective", "Term"],
        "loss.terms": ["content", "style", "total_variation"],
        "motion": ["Motion"],
        "networks": ["Network", "load_network"],
        "preparation": ["Style"],
        "recipes": ["RECIPES", "Recipe"],
        "transfer": ["Result", "Step", "stylize"],
        "networks.vgg": ["features"],
        "video.flow": ["flow_trust", "optical_flow"],
        "video.program": ["stylize_frames"],
    },
)
