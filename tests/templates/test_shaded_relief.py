"""The module of the shaded-relief workflow, on the real elevation model and on made ones."""

from __future__ import annotations

import importlib.util
import json
import logging
import math
import sys
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

HERE = Path(__file__).resolve().parents[2] / "templates" / "workflows" / "shaded_relief"
DEM = HERE / "data" / "rmnp-dem.tif"


def load() -> ModuleType:
    """Load the module from its file, as a worker does."""
    spec = importlib.util.spec_from_file_location("shaded_relief_under_test", HERE / "shaded_relief.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


relief = load()


def process(dst: Path, src: Any, **extra: Any) -> tuple[int, dict[str, Any]]:
    """Call the module with a worker that has what the contract promises."""
    worker = SimpleNamespace(log=logging.getLogger("relief"), status={})
    answer: tuple[int, dict[str, Any]] = relief.process_task(
        worker, {"args": {"src": src, "dst": str(dst), "azimuth": "315", "altitude": "45"}}, **extra
    )
    return answer


def slope(rise_east: float, rise_north: float, size: int = 5) -> np.ndarray:
    """Return a plane that rises so many metres per pixel."""
    rows, columns = np.mgrid[0:size, 0:size].astype(float)
    return 100 + rise_east * columns - rise_north * rows


def test_level_ground_gets_the_sine_of_the_lights_height() -> None:
    """Where nothing slopes the light's direction does not matter."""
    for azimuth in (0, 135, 315):
        lit = relief.shade(slope(0, 0), (1, 1), azimuth, 30)
        assert lit == pytest.approx(np.full((5, 5), math.sin(math.radians(30))))


@pytest.mark.parametrize(("azimuth", "east", "north"), [(0, 0, -1), (90, -1, 0), (180, 0, 1), (270, 1, 0)])
def test_a_slope_towards_the_light_gets_all_of_it(azimuth: int, east: int, north: int) -> None:
    """A 45 degree slope that falls towards a light 45 degrees high is lit fully, the opposite one not at all."""
    assert relief.shade(slope(east, north), (1, 1), azimuth, 45) == pytest.approx(np.ones((5, 5)))
    assert relief.shade(slope(-east, -north), (1, 1), azimuth, 45) == pytest.approx(np.zeros((5, 5)))


def test_wider_pixels_mean_gentler_slopes() -> None:
    """A rise of 10 m over a pixel of 10 m is 1, over one of 20 m a half."""
    east, _ = relief.find_slopes(slope(10, 0), (20, 10))

    assert east == pytest.approx(np.full((5, 5), 0.5))


def test_the_real_model_is_read_with_its_place_and_scale() -> None:
    """Heights, corners and the size of a pixel in metres are those of the file."""
    model = relief.read_elevation(DEM)

    assert model.heights.shape == (187, 152)
    assert (model.heights.min(), model.heights.max()) == (2281, 4261)
    assert model.pixel_m == pytest.approx((233.0, 234.6), abs=0.1)
    assert model.bounds == pytest.approx((-105.9125, 40.1591, -105.4945, 40.5537), abs=1e-4)


def test_an_elevation_model_without_place_has_pixels_of_one_metre(tmp_path: Path) -> None:
    """A plain TIFF is read too; its statistics have no corners."""
    Image.fromarray(slope(1, 1).astype(np.float32)).save(tmp_path / "plain.tif")
    model = relief.read_elevation(tmp_path / "plain.tif")

    assert model.pixel_m == (1, 1)
    assert model.bounds is None


def test_missing_pixels_are_transparent_and_not_counted(tmp_path: Path) -> None:
    """What the file marks as not measured is left out of picture and statistics."""
    heights = slope(1, 0, size=20)
    heights[3, 4] = -9999
    tags = {relief.NO_DATA: "-9999"}
    Image.fromarray(heights.astype(np.float32)).save(tmp_path / "gap.tif", tiffinfo=tags)
    model = relief.read_elevation(tmp_path / "gap.tif")
    picture = np.array(relief.draw(model, 315, 45))
    factor = picture.shape[0] // 20

    assert relief.summarise(model)["missing_pixels"] == 1
    assert relief.summarise(model)["elevation_m"]["minimum"] == 100
    assert picture[3 * factor, 4 * factor, 3] == 0
    assert picture[15 * factor, 15 * factor, 3] == 255


def test_the_task_writes_a_picture_and_statistics(tmp_path: Path) -> None:
    """One GeoTIFF gives one PNG that can be looked at and one JSON with the known numbers."""
    progress, outputs = process(tmp_path, [str(DEM)])
    numbers = json.loads((tmp_path / "rmnp-dem_statistics.json").read_text(encoding="utf-8"))
    with Image.open(outputs["quicklooks"][0]) as picture:
        size = picture.size

    assert progress == 100
    assert outputs["files"] == [str(tmp_path / "rmnp-dem_relief.png"), str(tmp_path / "rmnp-dem_statistics.json")]
    assert set(outputs) == set(relief.ccmodule["outputs"])
    assert size == (152 * 5, 187 * 5)
    assert numbers["elevation_m"] == {"minimum": 2281, "maximum": 4261, "mean": 3119.11, "standard_deviation": 370.98}


def test_geotiffs_are_found_in_directories_and_beside_other_files(tmp_path: Path) -> None:
    """A product that is unpacked into a directory is searched, other files are passed over."""
    (tmp_path / "product").mkdir()
    inner = tmp_path / "product" / "b.TIFF"
    for file in (inner, tmp_path / "a.tif", tmp_path / "readme.txt"):
        file.touch()

    found = relief.find_geotiffs([str(tmp_path / "a.tif"), str(tmp_path / "product"), str(tmp_path / "readme.txt")])

    assert found == [tmp_path / "a.tif", inner]


def test_nothing_to_read_says_what_was_given(tmp_path: Path) -> None:
    """Without a GeoTIFF the task fails and names what it got."""
    with pytest.raises(ValueError, match=r"no GeoTIFF .* among \['/x/readme.txt'\]"):
        process(tmp_path, "/x/readme.txt")


def test_a_colour_picture_is_refused(tmp_path: Path) -> None:
    """A file with three bands is no elevation model."""
    Image.new("RGB", (4, 4)).save(tmp_path / "rgb.tif")

    with pytest.raises(ValueError, match=r"rgb.tif: an elevation model has one band, this has 3"):
        process(tmp_path, [str(tmp_path / "rgb.tif")])


def test_a_cancelled_task_stops_before_the_next_file(tmp_path: Path) -> None:
    """Once the event is set nothing more is written."""
    cancel = threading.Event()
    cancel.set()

    with pytest.raises(RuntimeError, match="cancelled after 0 of 1"):
        process(tmp_path, [str(DEM)], cancel_event=cancel)
    assert list(tmp_path.iterdir()) == []
