"""Everything that makes the demo model: pictures, captions, training, export, figures.

Threads that wait by spinning make a training ten times slower as soon as anything else runs on
the machine, so waiting is made passive here, before the first import of torch.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
