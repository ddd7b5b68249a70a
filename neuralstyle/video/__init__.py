"""Film: frames in and out, optical flow, and where it can be trusted."""
