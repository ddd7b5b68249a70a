#!/usr/bin/env python
"""Download a published weight file; see ``--help``. The command is ``neuralstyle fetch``."""

import sys

from neuralstyle.command.fetch import main

sys.exit(main(program="fetch_weights.py"))
