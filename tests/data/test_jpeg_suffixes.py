"""Image files by every suffix that JPEG files have."""

from pathlib import Path

import pytest
from PIL import Image

from snncc.data.image_folder import find_images


@pytest.mark.parametrize("suffix", [".jfif", ".JFIF", ".jpe", ".jpg"])
def test_a_jpeg_file_of_any_suffix_is_an_image(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"photo{suffix}"
    Image.new("L", (7, 5), 99).save(file, format="JPEG")
    for place in (file, tmp_path):
        found = find_images(place)
        assert found is not None
        images = found.images((1, 5, 7), None)
        images.check()
        assert images[:].shape == (1, 1, 5, 7)
