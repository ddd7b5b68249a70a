#!/usr/bin/env python
"""Train a transform network; see ``--help``. The command is ``neuralstyle train``."""

import sys

from neuralstyle.command.train import main

sys.exit(main(sys.argv[1:]))
