"""The published weight files: where they are, how to know them, and how to fetch one."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from neuralstyle.files import InputError, check_writable, replacing

LICENCE = "CC BY 4.0, Karen Simonyan and Andrew Zisserman, Visual Geometry Group, University of Oxford"


@dataclass(frozen=True)
class PublishedFile:
    """A file of weights that somebody publishes.

    Attributes
    ----------
    name : str
        What it is called here.
    url : str
        Where it is published.
    digest : str
        ``algorithm:hexadecimal digits`` of its whole content.
    megabytes : int
        About how much there is to download.
    licence : str
        What its weights are published under, and by whom.
    content : str
        What is in it, in a few words.
    """

    name: str
    url: str
    digest: str
    megabytes: int
    licence: str
    content: str

    @property
    def published_name(self) -> str:
        """The file name that its publishers gave it, under which people have it already."""
        return PurePosixPath(self.url).name

    @property
    def file_name(self) -> str:
        """The file name that it is fetched to; published names are not unique."""
        return self.name + PurePosixPath(self.url).suffix


_MATCONVNET = "https://www.vlfeat.org/matconvnet/models"
_KERAS = "https://storage.googleapis.com/tensorflow/keras-applications/vgg19"

#: Every published file whose digest is known, the best default first.
CATALOGUE = {
    file.name: file
    for file in (
        PublishedFile(
            "vgg19-beta16",
            f"{_MATCONVNET}/beta16/imagenet-vgg-verydeep-19.mat",
            "md5:8ee3263992981a1d26e73b3ca028a123",
            535,
            LICENCE,
            "MatConvNet, up to beta 16; what most style-transfer programs were written for",
        ),
        PublishedFile(
            "vgg19",
            f"{_MATCONVNET}/imagenet-vgg-verydeep-19.mat",
            "sha256:abdb57167f82a2a1fbab1e1c16ad9373411883f262a1a37ee5db2e6fb0044695",
            535,
            LICENCE,
            "MatConvNet, after beta 16",
        ),
        PublishedFile(
            "vgg19-keras",
            f"{_KERAS}/vgg19_weights_tf_dim_ordering_tf_kernels.h5",
            "md5:cbe5617147190e668d6c5d5026f83318",
            575,
            LICENCE,
            "Keras, with the fully connected layers",
        ),
        PublishedFile(
            "vgg19-keras-notop",
            f"{_KERAS}/vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
            "md5:253f8cb515780f3b799900260a226db6",
            80,
            LICENCE,
            "Keras, convolutions only: all that style transfer needs",
        ),
    )
}


def fetch(file: PublishedFile, folder: str | Path, url: str | None = None) -> Path:
    """Download a published file, unless it is there already.

    It gets its name only when it is whole and its digest is right; until then nothing that stood under
    that name is touched. On a terminal a progress bar goes to standard error.

    Parameters
    ----------
    file : PublishedFile
        One of `CATALOGUE`, say.
    folder : path
        Where to put it, under `PublishedFile.file_name`.
    url : str, optional
        Another place that has the same file.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    InputError
        If the folder cannot be written, or the server does not give the whole file with that digest.
    """
    # Only fetching needs these; loading a network reads the names above.
    import pooch
    import requests
    from tqdm import tqdm

    path = Path(folder) / file.file_name
    check_writable(path)
    algorithm, _, expected = file.digest.partition(":")
    if path.exists() and pooch.file_hash(str(path), algorithm) == expected:
        return path
    url = url or file.url
    pooch.get_logger().setLevel("WARNING")  # it announces every download; the bar says more
    size = file.megabytes * 10**6  # until the server says it exactly
    bar = tqdm(desc=file.name, total=size, unit="B", unit_scale=True, leave=False, disable=None)
    download = pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 18)
    try:
        with bar, replacing(path) as temporary:
            pooch.retrieve(url, file.digest, temporary.name, temporary.parent, downloader=download)
    except requests.HTTPError as error:
        answer = f"{error.response.status_code} {error.response.reason}"
        raise InputError(f"{url}: the server answers {answer}; another address can be given") from error
    except requests.exceptions.ChunkedEncodingError as error:
        raise InputError(f"{url}: the download was cut short; try again") from error
    except requests.RequestException as error:
        raise InputError(f"{url}: cannot be reached ({type(error).__name__}); try again") from error
    except InputError:  # the file cannot be written
        raise
    except ValueError as error:
        raise InputError(f"{url}: is not {file.name}: its {algorithm} is not {expected}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error
    return path
