"""Still pictures: reading whatever Pillow reads as plain RGB, writing, and laying pictures side by side."""

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from followyouremoji.errors import PictureError, UserError
from followyouremoji.media.outputs import written_whole
from followyouremoji.media.provenance import GENERATED_COMMENT, SOFTWARE, xmp_packet

LEAST_SIDE = 16  # pixels; no face can be told in less
LARGEST_PIXELS = 100_000_000  # checked from the header, before anything is decoded
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
BACKGROUND = (255, 255, 255)  # what shows through where a picture is transparent

# Damaged files make Pillow's decoders raise these.
DECODING_ERRORS = (
    *(OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, RuntimeError),
    AssertionError,
)


def check_file(path: Path, error: type[UserError], what: str) -> None:
    """Raise `error` unless `path` is a file with something in it; `what` names what is expected."""
    try:
        if not path.exists():
            raise error(f"there is no file {path}")
        if path.is_dir():
            raise error(f"{path} is a folder; give {what}")
        if path.stat().st_size == 0:
            raise error(f"{path} is empty (0 bytes); give {what}")
    except OSError as reason:
        raise error(f"cannot read {path}: {reason.strerror}") from reason


def check_size(path: Path, size: tuple[int, int], error: type[UserError]) -> None:
    """Raise `error` where `size` (width, height) is too small to hold a face or too large to be decoded safely."""
    width, height = size
    if min(width, height) < LEAST_SIDE:
        raise error(f"{path} is too small: {width}x{height} pixels, at least {LEAST_SIDE} a side are needed")
    if width * height > LARGEST_PIXELS:
        raise error(
            f"{path} is too large: {width}x{height} pixels, at most {LARGEST_PIXELS // 1_000_000} megapixels can be "
            "used; scale it down"
        )


@contextmanager
def open_image(path: Path, error: type[UserError], formats: tuple[str, ...] | None = None) -> Iterator:
    """A file as Pillow opens it, only its header read, of an allowed size.

    Raises `error` for sizes out of bounds, and `UnidentifiedImageError` where the file is of no format in `formats`
    (all that Pillow knows by default).
    """
    with warnings.catch_warnings():
        # Pillow warns of large pictures from 89 megapixels on; the bound here is our own.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            image = Image.open(path, formats=formats)
        except Image.DecompressionBombError as reason:
            raise error(
                f"{path} is too large: at most {LARGEST_PIXELS // 1_000_000} megapixels can be used; scale it down"
            ) from reason
        with image:
            check_size(path, image.size, error)
            yield image


def _sixteen_bit_to_eight(image: Image.Image) -> Image.Image:
    """Greyscale of more than 8 bits: integers span 0..65535; floats 0..1, 0..255 or 0..their maximum."""
    values = np.nan_to_num(np.asarray(image, dtype=np.float64))
    top = 65535.0
    if image.mode == "F":
        largest = float(values.max())
        top = 1.0 if largest <= 1.0 else 255.0 if largest <= 255.0 else largest
    return Image.fromarray(np.rint(np.clip(values / top, 0.0, 1.0) * 255.0).astype(np.uint8))


def _to_srgb(image: Image.Image) -> Image.Image:
    """The picture's colours in sRGB, as RGB, where it carries a colour profile of its own (phones' Display P3, print's
    CMYK)."""
    if image.mode == "P":  # a profile is of colours, not of their places in a palette
        image = image.convert("RGB")
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "CMYK", "L"):
        return image.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):  # a damaged profile must not cost the picture
        converted = None
    return converted if converted is not None else image.convert("RGB")


def to_rgb(image: Image.Image) -> np.ndarray:
    """A decoded Pillow image of any mode as a picture, upright, in sRGB, composited on white where transparent.

    Returns uint8 (height, width, 3), contiguous.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _sixteen_bit_to_eight(image)
    if not image.has_transparency_data:
        return np.array(_to_srgb(image), dtype=np.uint8, order="C")
    grey = image.mode in ("1", "L", "LA", "La")  # a profile of grey is of no use to RGB
    layers = image.convert("LA" if grey else "RGBA")
    colours = _to_srgb(layers.convert("L" if grey else "RGB"))
    white = Image.new("RGB", image.size, BACKGROUND)
    return np.array(Image.composite(colours, white, layers.getchannel("A")), dtype=np.uint8, order="C")


def read_picture(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a picture of any format and mode that Pillow reads; of an animation the first frame.

    It is turned upright by its EXIF orientation, brought to sRGB, and laid on white where it is transparent.

    Returns
    -------
    uint8 (height, width, 3) RGB, contiguous.

    Raises
    ------
    PictureError : no such file, a folder, not a picture, damaged, a side under 16 pixels, over 100 megapixels.
    """
    path = Path(path)
    check_file(path, PictureError, "a picture file")
    try:
        with open_image(path, PictureError) as image:
            return to_rgb(image)
    except UnidentifiedImageError as reason:
        raise PictureError(
            f"{path} is not a picture that can be read; give a PNG, JPEG or WebP file"
        ) from reason
    except DECODING_ERRORS as reason:
        raise PictureError(f"{path} is damaged and cannot be read as a picture ({reason})") from reason


def save_image(path: Path, picture: np.ndarray, comment: str = GENERATED_COMMENT) -> None:
    """Encode a picture by the path's ending, with the mark that it is generated. For code that owns the file."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    ending = path.suffix.lower()
    if ending == ".png":
        text = PngInfo()
        text.add_text("Comment", comment)
        text.add_text("Software", SOFTWARE)
        text.add_itxt("XML:com.adobe.xmp", xmp_packet(comment).decode())
        image.save(path, format="PNG", pnginfo=text, compress_level=4)
    elif ending == ".webp":
        image.save(path, format="WEBP", quality=92, method=4, xmp=xmp_packet(comment))
    else:
        image.save(path, format="JPEG", quality=95, subsampling=0, comment=comment, xmp=xmp_packet(comment))


def write_picture(
    path: str | os.PathLike[str],
    picture: np.ndarray,
    overwrite: bool = False,
    comment: str = GENERATED_COMMENT,
) -> None:
    """Write a picture as PNG, JPEG or WebP, by the path's ending, marked as generated.

    Parameters
    ----------
    picture : uint8 (height, width, 3) RGB.
    overwrite : replace a file that exists.
    comment : what the file says about itself.

    Raises
    ------
    PictureError : unknown ending, the file exists, or it cannot be written; nothing half-written stays.
    """
    path = Path(path)
    if path.suffix.lower() not in PICTURE_ENDINGS:
        raise PictureError(
            f"cannot write {path}: a picture's name must end in one of {', '.join(PICTURE_ENDINGS)}"
        )
    with written_whole(path, overwrite, PictureError, ValueError) as temporary:
        save_image(temporary, picture, comment)


def resize_picture(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The whole picture at another size (width, height), resampled with Lanczos' kernel."""
    if (picture.shape[1], picture.shape[0]) == size:
        return picture
    return np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize(size, Image.Resampling.LANCZOS))


def side_by_side(pictures: Sequence[np.ndarray], height: int | None = None) -> np.ndarray:
    """Pictures in a row, scaled to one height, such as driving frame, landmarks, portrait and result.

    Parameters
    ----------
    pictures : one or more, uint8 (h, w, 3), of any sizes.
    height : of the row in pixels; by default that of the tallest picture.
    """
    if not pictures:
        raise ValueError("side_by_side needs at least one picture")
    tall = height if height is not None else max(picture.shape[0] for picture in pictures)
    row = [
        resize_picture(picture, (max(1, round(picture.shape[1] * tall / picture.shape[0])), tall))
        for picture in pictures
    ]
    return np.concatenate(row, axis=1)


def contact_sheet(pictures: Sequence[np.ndarray], columns: int, gap: int = 4) -> np.ndarray:
    """Pictures in rows of `columns`, each centred in a cell of the largest width and height, on white.

    Parameters
    ----------
    pictures : one or more, uint8 (h, w, 3), of any sizes; they are not scaled.
    gap : white pixels between cells.
    """
    if not pictures or columns < 1:
        raise ValueError("contact_sheet needs at least one picture and one column")
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    tall = max(picture.shape[0] for picture in pictures)
    wide = max(picture.shape[1] for picture in pictures)
    sheet = np.full((rows * (tall + gap) - gap, columns * (wide + gap) - gap, 3), BACKGROUND, dtype=np.uint8)
    for index, picture in enumerate(pictures):
        height, width = picture.shape[:2]
        top = index // columns * (tall + gap) + (tall - height) // 2
        left = index % columns * (wide + gap) + (wide - width) // 2
        sheet[top : top + height, left : left + width] = picture
    return sheet
