"""Still pictures: reading whatever Pillow reads, plain or with its transparency, writing, and laying them side by side.

A transparent picture has a fourth channel, its opacity (alpha), of which the colours are independent ("straight").
"""

import struct
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageColor, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from followyouremoji.errors import PictureError, SettingsError, UserError, first_line, shown
from followyouremoji.media.headers import is_heic, jpeg_scans
from followyouremoji.media.inputs import InputFile, InputSource
from followyouremoji.media.outputs import OutputTarget, name_and_ending, open_output
from followyouremoji.provenance.record import GENERATED_COMMENT, SOFTWARE, xmp_packet

LEAST_SIDE = 16  # pixels; no face can be recognised in less
LARGEST_PIXELS = 100_000_000  # checked from the header, before anything is decoded
PICTURE_FORMATS = (
    *(
        "PNG",
        "JPEG",
        "WEBP",
        "GIF",
        "AVIF",
        "TIFF",
        "JPEG2000",
        "BMP",
        "DIB",
        "PPM",
        "PCX",
        "TGA",
        "DDS",
        "QOI",
    ),
    *("SGI", "ICO", "ICNS"),
)
"""By Pillow's names, those that are read, HEIF besides. Pillow knows more, of which it has EPS run as a program."""
MOST_SCANNED = 4_000_000_000
"""Pixels of all scans of a JPEG, each of which is a pass over the whole of it: cameras and editors write 10 at most."""
PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
TRANSPARENT_ENDINGS = (".png", ".webp")  # of them; the others lie on a background
Colour = tuple[int, int, int]
GAP = 4  # pixels between the cells of a contact sheet
BACKGROUND: Colour = (255, 255, 255)  # what shows through where a picture is transparent

DECODING_ERRORS = (
    *(OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, RuntimeError, AssertionError),
    *(ArithmeticError, AttributeError, MemoryError, struct.error, zlib.error),
)
"""What Pillow's decoders raise for damaged files."""


def check_size(file: InputFile, size: tuple[int, int], error: type[UserError]) -> None:
    """Raise `error` where `size` (width, height) is too small to hold a face or too large to be decoded safely."""
    width, height = size
    if min(width, height) < LEAST_SIDE:
        raise error(f"{file} is too small: {width}x{height} pixels, at least {LEAST_SIDE} a side are needed")
    if width * height > LARGEST_PIXELS:
        raise error(
            f"{file} is too large: {width}x{height} pixels, at most {LARGEST_PIXELS // 1_000_000} megapixels can be "
            "used; scale it down"
        )


def _learn_heic(file: InputFile, error: type[UserError]) -> None:
    """Have Pillow read HEIC; raises `error` where pillow-heif is not installed."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError as reason:
        raise error(
            f"{file} is a HEIC picture, as iPhones take them, which needs pillow-heif: pip install "
            "'followyouremoji[heif]', or save it as JPEG"
        ) from reason
    register_heif_opener()


@contextmanager
def open_image(
    file: InputFile, error: type[UserError], formats: tuple[str, ...] | None = None
) -> Iterator[Image.Image]:
    """A file as Pillow opens it, only its header read, of an allowed size.

    Raises `error` for sizes out of bounds and for HEIC without pillow-heif, and `UnidentifiedImageError` where the file
    is of no format in `formats` (by default `PICTURE_FORMATS` and HEIF).
    """
    if formats is None:
        formats = PICTURE_FORMATS
        if is_heic(file):
            _learn_heic(file, error)
            formats = (*formats, "HEIF")
    with file.open() as opened, warnings.catch_warnings():
        # Of large pictures from 89 megapixels on, where the bound here is our own, and of what is damaged beside the
        # picture.
        warnings.simplefilter("ignore")
        try:
            image = Image.open(opened, formats=formats)
        except Image.DecompressionBombError as reason:
            raise error(
                f"{file} is too large: at most {LARGEST_PIXELS // 1_000_000} megapixels can be used; scale it down"
            ) from reason
        with image:
            check_size(file, image.size, error)
            most = MOST_SCANNED // (image.width * image.height)
            if image.format in ("JPEG", "MPO") and jpeg_scans(file, most) > most:
                raise error(
                    f"{file} is a JPEG of more than {most} scans, as no camera writes it; save it anew"
                )
            yield image


def _upright(image: Image.Image) -> Image.Image:
    """The picture as its EXIF has it turned; damaged EXIF must not cost the picture."""
    try:
        return ImageOps.exif_transpose(image)
    except DECODING_ERRORS:
        return image


def _sixteen_bit_to_eight(image: Image.Image) -> Image.Image:
    """Greyscale of more than 8 bits: integers span 0..65535; floats 0..1, 0..255 or 0..their maximum."""
    values = np.nan_to_num(np.array(image, dtype=np.float32), copy=False)
    top = 65535.0
    if image.mode == "F":
        largest = float(values.max())
        top = 1.0 if largest <= 1.0 else 255.0 if largest <= 255.0 else largest
    values *= 255.0 / top
    return Image.fromarray(np.rint(np.clip(values, 0.0, 255.0, out=values), out=values).astype(np.uint8))


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


def to_layers(image: Image.Image) -> np.ndarray:
    """A decoded Pillow image of any mode as a picture, upright, in sRGB, with its transparency.

    Returns uint8 (height, width, 4) where some of it is transparent, else (height, width, 3); contiguous.
    """
    image = _upright(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _sixteen_bit_to_eight(image)
    if not image.has_transparency_data:
        return np.array(_to_srgb(image), dtype=np.uint8, order="C")
    grey = image.mode in ("1", "L", "LA", "La")  # a profile of grey is of no use to RGB
    layers = image.convert("LA" if grey else "RGBA")
    colours = _to_srgb(layers.convert("L" if grey else "RGB"))
    return without_full_opacity(np.dstack([np.asarray(colours), np.asarray(layers.getchannel("A"))]))


def to_rgb(image: Image.Image) -> np.ndarray:
    """`to_layers` on white: uint8 (height, width, 3), contiguous."""
    return on_background(to_layers(image))


def without_full_opacity(layers: np.ndarray) -> np.ndarray:
    """A picture uint8 (height, width, 3 or 4), without its opacity where that is full everywhere."""
    if layers.shape[2] == 4 and layers[..., 3].min() == 255:
        return np.ascontiguousarray(layers[..., :3])
    return layers


def on_background(layers: np.ndarray, colour: Colour = BACKGROUND) -> np.ndarray:
    """A picture uint8 (height, width, 3 or 4) on a plain colour: (height, width, 3). One without transparency stays as
    it is."""
    if layers.shape[2] == 3:
        return layers
    opacity = layers[..., 3:].astype(np.uint16)
    # 255 * 255 and half of 255 just fit into 16 bits
    laid = layers[..., :3] * opacity + np.asarray(colour, np.uint16) * (255 - opacity)
    return ((laid + 127) // 255).astype(np.uint8)


def off_white(picture: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """The inverse of `on_background`: of a picture on white uint8 (height, width, 3) whose `opacity` uint8 (height,
    width) is known, the transparent picture (height, width, 4). Where nothing of it shows it is white.

    Resampling a picture on white and its opacity alike, and taking the white off after, is the same as resampling
    colours weighted by opacity: no colour from under full transparency gets into an edge.
    """
    layers = np.dstack([picture, opacity])
    partly = (opacity > 0) & (opacity < 255)
    missing = 255.0 - picture[partly].astype(np.float32)
    colours = 255.0 - missing * (255.0 / opacity[partly, None].astype(np.float32))
    layers[partly, :3] = np.rint(colours).clip(0, 255).astype(np.uint8)
    layers[opacity == 0, :3] = BACKGROUND
    return layers


def spread_colours(layers: np.ndarray) -> np.ndarray:
    """A transparent picture uint8 (height, width, 4) whose colours go on, ever smoother, where nothing of it shows.

    For what mixes neighbouring colours regardless of opacity, as video codecs do: each place takes the mean of the
    finest level of a pyramid that shows anything there (the pull and push of Gortler et al. 1996, "The Lumigraph").
    """
    shown = layers[..., 3].astype(np.float32)
    filled = layers.copy()
    filled[..., :3] = np.rint(_pulled_and_pushed(layers[..., :3].astype(np.float32), shown)).clip(0, 255)
    return filled


def _pulled_and_pushed(colours: np.ndarray, shown: np.ndarray) -> np.ndarray:
    import cv2

    height, width = shown.shape
    if shown.all() or max(height, width) == 1:
        return colours
    half = (max(1, width // 2), max(1, height // 2))
    weight = cv2.resize(shown, half, interpolation=cv2.INTER_AREA)
    mean = cv2.resize(colours * shown[..., None], half, interpolation=cv2.INTER_AREA)
    mean = mean.reshape(*weight.shape, 3) / np.maximum(weight, 1e-6)[..., None]
    coarse = cv2.resize(_pulled_and_pushed(mean, weight), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(shown[..., None] > 0, colours, coarse.reshape(height, width, 3))


def colour(text: str) -> Colour:
    """A colour by what Pillow calls it: a name such as "white", or "#rrggbb". Raises SettingsError for others."""
    try:
        found = ImageColor.getrgb(text)
        if len(found) == 3:  # a fourth would be an opacity
            return found
    except ValueError:
        pass
    raise SettingsError(
        f"{shown(repr(text))} is no colour for a background; give a name such as white, or #rrggbb"
    )


def read_layers(source: InputSource, name: str = "the picture") -> np.ndarray:
    """Read a picture of any format and mode that Pillow reads, with its transparency; of an animation the first frame.

    It is turned upright by its EXIF orientation and brought to sRGB. HEIC needs pillow-heif, the extra `heif`. Messages
    call one without a path `name`.

    Returns
    -------
    uint8 (height, width, 4), red, green, blue and opacity, where some of it is transparent; else (height, width, 3).

    Raises
    ------
    PictureError : no such file, a folder, not a picture, damaged, a side under 16 pixels, over 100 megapixels, or HEIC
        without pillow-heif.
    """
    file = InputFile.of(source, PictureError, "a picture file", name)
    try:
        with open_image(file, PictureError) as image:
            return to_layers(image)
    except UnidentifiedImageError as reason:
        raise PictureError(
            f"{file} is not a picture that can be read; give a PNG, JPEG or WebP file"
        ) from reason
    except DECODING_ERRORS as reason:
        raise PictureError(
            f"{file} is damaged and cannot be read as a picture ({first_line(reason)})"
        ) from reason


def read_picture(source: InputSource) -> np.ndarray:
    """`read_layers`, laid on white where the picture is transparent: uint8 (height, width, 3) RGB, contiguous."""
    return on_background(read_layers(source))


def save_image(path: Path, picture: np.ndarray, comment: str = GENERATED_COMMENT) -> None:
    """Encode a picture, RGB or, where the path's ending is one of `TRANSPARENT_ENDINGS`, also with opacity, with the
    mark that it is generated. For code that owns the file."""
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
    target: OutputTarget,
    picture: np.ndarray,
    overwrite: bool = False,
    comment: str = GENERATED_COMMENT,
    background: Colour | None = None,
    format: str | None = None,
    seal: Callable[[Path], None] | None = None,
) -> None:
    """Write a picture as PNG, JPEG or WebP, marked as generated.

    Parameters
    ----------
    target : a path, whose ending says the kind, or a binary buffer for the `format`.
    picture : uint8 (height, width, 3) RGB, or (height, width, 4) with opacity.
    overwrite : replace a file that exists.
    comment : what the file says about itself.
    background : what a transparent picture is laid on; by default it stays transparent in PNG and WebP, and lies on
        white in JPEG.
    format : of a buffer: "png", "jpeg" or "webp".
    seal : is called with the finished file, to change it before it gets its name;
        its OSErrors are told as the picture's.

    Raises
    ------
    PictureError : unknown ending or format, the file exists, or it cannot be written; nothing half-written stays.
    """
    _, ending = name_and_ending(target, format, PICTURE_ENDINGS, "picture", PictureError)
    if background is not None or ending not in TRANSPARENT_ENDINGS:
        picture = on_background(picture, background or BACKGROUND)
    with open_output(target, ending, overwrite, PictureError) as output:
        try:
            save_image(output.temporary, picture, comment)
            if seal is not None:
                seal(output.temporary)
            output.commit()
        except (OSError, ValueError) as reason:
            raise output.failure(reason) from reason


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


def contact_sheet(pictures: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Pictures, one or more uint8 (h, w, 3) of any sizes, in rows of `columns`: each centred in a cell of the largest
    width and height, on white with gaps between."""
    if not pictures or columns < 1:
        raise ValueError("contact_sheet needs at least one picture and one column")
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    tall = max(picture.shape[0] for picture in pictures)
    wide = max(picture.shape[1] for picture in pictures)
    sheet = np.full((rows * (tall + GAP) - GAP, columns * (wide + GAP) - GAP, 3), BACKGROUND, dtype=np.uint8)
    for index, picture in enumerate(pictures):
        height, width = picture.shape[:2]
        top = index // columns * (tall + GAP) + (tall - height) // 2
        left = index % columns * (wide + GAP) + (wide - width) // 2
        sheet[top : top + height, left : left + width] = picture
    return sheet
