#!/usr/bin/env python
"""Make the normalised network of Gatys et al.; see ``--help``. The command is ``neuralstyle normalize``."""

import sys

from neuralstyle.command.normalize import main

sys.exit(main(program="normalize_weights.py"))
