"""``python -m neuralstyle``: the same as the installed command."""

import sys

from neuralstyle.command.main import main

sys.exit(main())
