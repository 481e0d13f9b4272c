"""Reads a person's pictures, from single files and from folders with one sub-folder a class.

Whatever format, colours and size a file has, what comes out is a square of bytes, `size` pixels
wide, grey or in red, green and blue.
"""
import io
import os
import struct
import unicodedata
import warnings
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from files import is_ignored

# What Pillow may take a file for, whatever its name says: of its other formats nobody has
# photographs, and one, EPS, would start a program.
FORMATS = ['JPEG', 'PNG', 'GIF', 'BMP', 'TIFF', 'WEBP', 'AVIF', 'JPEG2000', 'PPM', 'ICO', 'ICNS',
           'PCX', 'SGI', 'DDS', 'PSD', 'QOI', 'TGA']
PNG = b'\x89PNG\r\n\x1a\n'
# Tags of a TIFF, and their values.
BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT = 258, 262, 339
WHITE_IS_ZERO, SIGNED = 0, 2
# A folder whose sub-folders have only such names is no folder of classes.
PARTS = {'train', 'training', 'val', 'valid', 'validation', 'dev', 'test', 'testing'}


def order(name):
    """A key to sort names by that is the same on every machine, whatever its language.

    An é may be stored as one character or, on a Mac, as two: both sort, and count, as one name.
    """
    return unicodedata.normalize('NFC', str(name)), str(name)


# ---------------------------------------------------------------------------------------------
# One picture


def read_picture(path, size, grey=False):
    """A picture as a uint8 array of shape (size, size, 1 if grey else 3), red first.

    Turned upright as its EXIF tag says, what is transparent on white, the shorter side scaled to
    `size` pixels, and cut to the square in the middle. Of an animation it is the first picture.

    Raises ValueError with a short reason for whatever cannot be read to its end.
    """
    if size < 1:
        raise ValueError(f'size is a side in pixels, at least 1, not {size}')
    check_is_file(path)
    # Pillow warns of odd but readable files, in the middle of a progress bar.
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            image = decode_any(path, size)
        except UnidentifiedImageError:
            raise ValueError('not a picture, or of a kind that is not read, such as HEIC '
                             'and EPS: export it as JPEG') from None
        except Image.DecompressionBombError:
            raise ValueError(f'more than {2 * Image.MAX_IMAGE_PIXELS / 1e6:.0f} million pixels: '
                             'make it smaller first') from None
        except MemoryError:
            raise ValueError('too large for the memory of this machine') from None
        except Exception as error:  # damaged files make Pillow's readers raise almost anything
            raise ValueError(f'cannot be decoded: {one_line(error)}') from None
    image = ImageOps.fit(image, (size, size))
    return np.asarray(image.convert('L' if grey else 'RGB')).reshape(size, size, -1)


def check_is_file(path):
    """Raises ValueError with the reason if there is nothing to open."""
    path = Path(path)
    try:
        if path.is_dir():
            os.scandir(path).close()  # raises OSError if nobody can see what is in it
            raise ValueError('a folder, not a picture')
        if not path.exists():
            raise ValueError('a broken link' if path.is_symlink() else 'no such file')
        if not path.is_file():  # a pipe would keep us waiting for ever
            raise ValueError('not a file')
        if path.stat().st_size == 0:
            raise ValueError('an empty file')
        with path.open('rb'):
            pass
    except OSError as error:
        raise ValueError(one_line(error)) from None


def decode_any(path, size):
    """What `decode` gives; of a PNG also if something is wrong with its texts and profiles."""
    try:
        return decode(path, size)
    except (Image.DecompressionBombError, MemoryError):
        raise
    except Exception:
        with open(path, 'rb') as file:
            if file.read(len(PNG)) != PNG:
                raise
            return decode(io.BytesIO(only_pixels(PNG + file.read())), size)


def only_pixels(png):
    """The bytes of a PNG file without the chunks that do not change a pixel.

    A long text, or a wrong checksum of one, makes Pillow refuse the whole picture.
    """
    parts, start = [PNG], len(PNG)
    while start + 8 <= len(png):
        length, kind = struct.unpack_from('>I4s', png, start)
        chunk = png[start:start + length + 12]
        whole = zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], 'big')
        # Names with a capital letter are of chunks that every reader needs. eXIf may have the
        # orientation.
        if kind[:1].isupper() or kind == b'tRNS' or (kind == b'eXIf' and whole):
            parts.append(chunk)
        start += len(chunk)
    return b''.join(parts)


def decode(file, size):
    """The picture in a file, a path or an open one, upright, in mode RGB, 8 bits a channel.

    A JPEG is at least twice as wide and high as `size` pixels, if it was, but not much larger.
    """
    with Image.open(file, formats=FORMATS) as image:
        # A JPEG can be decoded at 1/2, 1/4 or 1/8 of its size, in a fraction of the time.
        image.draft(None, (2 * size, 2 * size))
        # How the file keeps a pixel.
        raw = image.tile[0].args if image.format == 'PNG' and image.tile else None
        image.load()
        if image.info.get('transparency') is not None:
            mend_transparency(image, raw, file)
        return upright(eight_bits(image))


def mend_transparency(image, raw, file):
    """Mends the transparent level of a PNG, which Pillow gives in the bits of the file."""
    level = image.info['transparency']
    if raw in ('L;2', 'L;4'):
        white = 2 ** int(raw[-1]) - 1
        image.info['transparency'] = (level & white) * 255 // white
    elif raw == 'RGB;16B':  # Pillow has kept the upper bytes only: now the lower ones
        with Image.open(file, formats=FORMATS) as lower:
            lower.tile = [lower.tile[0]._replace(args='RGB;16L')]
            pixels = np.asarray(image, dtype=int) * 256 + np.asarray(lower)
        transparent = (pixels == level).all(axis=2)
        del image.info['transparency']
        image.putalpha(Image.fromarray(np.where(transparent, 0, 255).astype(np.uint8)))


def one_line(error):
    """What an exception says, without line breaks and paths."""
    text = getattr(error, 'strerror', None) or str(error) or type(error).__name__
    return ' '.join(text.split())


def upright(image):
    """The picture as the camera was held; as it is where the tag is missing or damaged."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # the tag is damaged; the picture need not be
        return image


def eight_bits(image):
    """The picture in mode RGB, 8 bits a channel, what is transparent on white.

    Raises ValueError for numbers of which nobody knows which is white.
    """
    info, tags = image.info, getattr(image, 'tag_v2', {})
    kind = ('floating-point' if image.mode == 'F'
            else 'signed' if SIGNED in tags.get(SAMPLE_FORMAT, ())
            else '32-bit' if image.mode == 'I' and tags else None)
    if kind:
        raise ValueError(f'{kind} pixels, whose white nobody knows: save it as PNG')
    if image.mode.startswith('I'):
        image = eight_bits_of_grey(image, tags)
    if image.has_transparency_data:
        image = image.convert('RGBA')
        image = Image.alpha_composite(Image.new('RGBA', image.size, 'white'), image)
    image = image.convert('RGB')
    image.info = info  # where `upright` finds the orientation
    return image


def eight_bits_of_grey(image, tags):
    """A picture with 16 bits of grey, or 12 in a TIFF of these tags, on white, in mode L."""
    levels = np.asarray(image, dtype=np.float64)
    grey = levels / (2 ** tags.get(BITS_PER_SAMPLE, [16])[0] - 1)
    if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        grey = 1 - grey
    if (transparent := image.info.get('transparency')) is not None:
        grey[levels == transparent] = 1
    return Image.fromarray((255 * grey + 0.5).clip(0, 255).astype(np.uint8))


# ---------------------------------------------------------------------------------------------
# Folders


def find_classes(folder):
    """The names of the sub-folders of `folder`, one for each class, sorted.

    Raises ValueError if there are fewer than two, or two that look the same, or if they are the
    parts of a split.
    """
    classes = class_folders(folder)
    if len(classes) < 2:
        found = f'only one, {next(iter(classes))}' if classes else 'none'
        raise ValueError(f'{folder} should have a sub-folder for each class, two or more; it has '
                         f'{found}')
    if PARTS.issuperset(map(str.lower, classes)):
        raise ValueError(f'{folder} has the folders {" and ".join(classes)}: it is split already, '
                         'and these are no classes. To split it again, bring all pictures of a '
                         'class into one folder first')
    return list(classes)


def class_folders(folder):
    """The sub-folders of `folder` as {name: path}, sorted; hidden ones left out."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f'{folder} is {"not a folder" if folder.exists() else "missing"}')
    paths = [path for path in folder.iterdir() if path.is_dir() and not is_ignored(path.name)]
    paths.sort(key=lambda path: order(path.name))
    for path, following in zip(paths, paths[1:], strict=False):
        if order(path.name)[0] == order(following.name)[0]:
            raise ValueError(f'{folder} has two folders named {path.name}, spelt with different '
                             'Unicode characters: rename one, or make them one')
    return {path.name: path for path in paths}


def find_files(folder):
    """The files of one class, sorted, those in sub-folders included; hidden ones left out.

    A link to a folder is not followed, for it may lead back here; it counts as a file that
    cannot be read, so that it is reported. So does a folder that cannot be listed.
    """
    found, errors = [], []
    for where, folders, files in os.walk(folder, onerror=errors.append):
        links = [name for name in folders if os.path.islink(os.path.join(where, name))]
        folders[:] = [name for name in folders if not is_ignored(name)]
        found += [Path(where, name) for name in files + links if not is_ignored(name)]
    found += [Path(error.filename) for error in errors]
    return sorted(found, key=lambda path: order(path.relative_to(folder).as_posix()))


def find_labelled(folder, classes=None):
    """The files of all classes of a folder, [(path, label)], sorted, and the classes' names.

    classes: see load_folder, as for the ValueError for what is wrong with them.
    """
    names = find_classes(folder) if classes is None else list(classes)
    number = {order(name)[0]: label for label, name in enumerate(names)}
    files = []
    for name, path in class_folders(folder).items():
        if order(name)[0] not in number:
            raise ValueError(f'{folder} has a class {name}, which is not one of {", ".join(names)}')
        files += [(file, number[order(name)[0]]) for file in find_files(path)]
    return files, names


def load_folder(folder, size, grey=False, classes=None):
    """All pictures of a folder with one sub-folder a class, decoded once and kept as bytes.

    classes: the names in the order of the labels, None for those of the folder, sorted. A folder
        for validation is given those of the training folder, and need not have them all.

    Returns images, uint8 of shape (n, size, size, 1 if grey else 3), see read_picture; labels,
    int32 of shape (n,); the classes; and the unreadable files as [(path, reason)].
    Raises ValueError for a folder without classes, for a class that is not among `classes`, and
    where there is no readable picture: at all, or, without `classes`, in one class.
    """
    files, names = find_labelled(folder, classes)
    images = np.empty((len(files), size, size, 1 if grey else 3), dtype=np.uint8)
    labels, unreadable = [], []
    import utils  # here, so that predict.py reads pictures without MXNet
    for path, label in utils.progress(files, Path(folder).name, 'picture'):
        try:
            images[len(labels)] = read_picture(path, size, grey)
        except ValueError as error:
            unreadable.append((path, str(error)))
        else:
            labels.append(label)
    check_not_empty(folder, names if classes is None else [], labels, unreadable)
    return images[:len(labels)], np.array(labels, dtype=np.int32), names, unreadable


def check_not_empty(folder, names, labels, unreadable):
    """Raises ValueError if there is no picture at all, or none of one of the classes `names`."""
    example = f'; {unreadable[0][0]}: {unreadable[0][1]}' if unreadable else ''
    if len(labels) == 0:
        raise ValueError(f'{folder} has no picture that can be read{example}')
    if missing := [name for label, name in enumerate(names) if label not in labels]:
        raise ValueError(f'class {missing[0]} in {folder} has no picture that can be '
                         f'read{example}')
