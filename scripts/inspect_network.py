#!/usr/bin/env python
"""Show what a network sees in a picture; see ``--help``. The command is ``neuralstyle inspect``."""

import sys

from neuralstyle.command.inspect import main

sys.exit(main(program="inspect_network.py"))
