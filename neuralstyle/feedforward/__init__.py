"""Feed-forward networks: a picture in, a stylised picture out, in one pass.

`transform` is a network trained for one style (Johnson et al. 2016), `checkpoints` reads its weights;
`any_style` takes its style from any picture (Ghiasi et al. 2017), `multi_style` has 26 styles to blend
(Dumoulin et al. 2017), `foreign` runs other programs' graphs, such as a folder from TensorFlow Hub; `kinds`
tells those from checkpoints. Each of the four has a ``renderer``: a context manager that gives a function
from a picture to a picture, float32 H×W×3, 0..255, of any size.
`rendering` is what they share, `pictures` runs them over files, `sizing` says at which size, and `record`
what made a result.

A picture is rendered whole, for its normalisation needs sums over all of it, or with a number as
``Machine.tile`` in several passes over its tiles (`tiles`). Beside the 0.9 GB that TensorFlow and the program
take, a whole one needs about 110 bytes per pixel for any style, 360 for the 26 styles and 330 for a transform
network (1.4, 4.5 and 4.1 GB for 4096×3072).

`training` trains a transform network, on the squares of `crops`; `export` writes networks for other programs.
"""
