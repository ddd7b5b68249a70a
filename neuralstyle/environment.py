"""What TensorFlow reads from the environment when it is loaded."""

import os


def set_for_tensorflow() -> None:
    """Set what TensorFlow is to find in the environment, where the user has not; before it is imported."""
    # What its libraries say while they load and run is nobody's here.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # TensorFlow's own allocator keeps what it has. The C library's gives large arrays back to the system and
    # has them again page by page: a sixth to a quarter of an iteration.
    os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "1")
