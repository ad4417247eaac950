"""`python -m camerapose`."""

import sys

from camerapose.cli.main import main

sys.exit(main())
