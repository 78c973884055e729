"""Computes a shaded relief picture and statistics of elevation models in GeoTIFF.

Everything above `process_task` is arithmetic on arrays: elevations in metres, row 0 in the north, column 0 in the
west, NaN where nothing was measured.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ccmodule = {
    "description": "Shaded relief and statistics of elevation models",
    "depends": ["Product"],
    "provides": ["Quicklook"],
    "inputs": {
        "src": "GeoTIFF or a list of files with GeoTIFFs among them",
        "dst": "Directory for the results",
        "azimuth": "Where the light comes from, degrees clockwise from north (315)",
        "altitude": "How high the light stands, degrees above the horizon (45)",
    },
    "outputs": {
        "quicklooks": "The pictures, PNG, one for each GeoTIFF",
        "statistics": "The statistics, JSON, one for each GeoTIFF",
        "files": "Both, in one list",
    },
    "defaults": {"priority": 50, "runOn": "success"},
    "status": {"progress": "Percent of the GeoTIFFs that are done"},
    "pip": ["numpy", "pillow"],
}

Grid = NDArray[np.float64]

#: Tags of TIFF 6.0, GeoTIFF 1.1 and GDAL.
PIXEL_SCALE, TIE_POINT, GEO_KEYS, NO_DATA = 33550, 33922, 34735, 42113
MODEL_TYPE, GEOGRAPHIC = 1024, 2
#: Metres in one degree along a meridian of a sphere of 6 371 km.
METRES_PER_DEGREE = math.pi * 6_371_000 / 180
#: Small models are enlarged to about this many pixels on the longer side, so that a person sees something.
PICTURE_SIZE = 900
#: Colours (red, green, blue) from the lowest to the highest elevation: forest, meadow, rock, snow.
TINTS = ((94, 130, 92), (158, 170, 110), (196, 178, 132), (166, 140, 118), (206, 204, 204), (250, 250, 252))


@dataclass(frozen=True)
class Elevation:
    """An elevation model: heights in metres, the size of a pixel in metres and the corners in the file's own units."""

    heights: Grid
    pixel_m: tuple[float, float]
    bounds: tuple[float, float, float, float] | None


def read_elevation(path: Path) -> Elevation:
    """Read a GeoTIFF of one band.

    Raises:
        ValueError: it has several bands, or no pixel with an elevation.
        OSError: it is no TIFF, or is damaged.
    """
    with Image.open(path) as image:
        if len(image.getbands()) != 1:
            raise ValueError(f"{path.name}: an elevation model has one band, this has {len(image.getbands())}")
        heights = np.array(image, dtype=np.float64)
        tags = dict(image.tag_v2) if hasattr(image, "tag_v2") else {}
    if NO_DATA in tags:
        heights[heights == float(str(tags[NO_DATA]).strip("\0 "))] = np.nan
    if not np.isfinite(heights).any():
        raise ValueError(f"{path.name}: no pixel has an elevation")
    bounds = find_bounds(tags, heights.shape[1], heights.shape[0])
    return Elevation(heights, find_pixel_size(tags, bounds), bounds)


def find_bounds(tags: dict[int, Any], width: int, height: int) -> tuple[float, float, float, float] | None:
    """Return west, south, east, north in the units of the file, None where it does not say."""
    if PIXEL_SCALE not in tags or TIE_POINT not in tags:
        return None
    column, row, _, x, y, _ = tags[TIE_POINT][:6]
    step_x, step_y = tags[PIXEL_SCALE][:2]
    west, north = x - column * step_x, y + row * step_y
    return west, north - height * step_y, west + width * step_x, north


def find_pixel_size(tags: dict[int, Any], bounds: tuple[float, float, float, float] | None) -> tuple[float, float]:
    """Return width and height of a pixel in metres; degrees are converted at the middle latitude; 1 where unknown."""
    if bounds is None:
        return 1.0, 1.0
    step_x, step_y = tags[PIXEL_SCALE][:2]
    keys = tags.get(GEO_KEYS, ())
    model = {keys[place]: keys[place + 3] for place in range(4, len(keys) - 3, 4)}.get(MODEL_TYPE)
    if model != GEOGRAPHIC:
        return float(step_x), float(step_y)
    latitude = math.radians((bounds[1] + bounds[3]) / 2)
    return step_x * METRES_PER_DEGREE * math.cos(latitude), step_y * METRES_PER_DEGREE


def find_slopes(heights: Grid, pixel_m: tuple[float, float]) -> tuple[Grid, Grid]:
    """Return the rise per metre towards east and towards north."""
    east: Grid = np.gradient(heights, pixel_m[0], axis=1)
    south: Grid = np.gradient(heights, pixel_m[1], axis=0)
    return east, -south


def shade(heights: Grid, pixel_m: tuple[float, float], azimuth: float, altitude: float) -> Grid:
    """Return how much light each pixel gets, 0 to 1: the cosine between its normal and the light, never negative."""
    east, north = find_slopes(heights, pixel_m)
    direction, height = math.radians(azimuth), math.radians(altitude)
    sun = (
        math.sin(direction) * math.cos(height),
        math.cos(direction) * math.cos(height),
        math.sin(height),
    )
    lit = (sun[2] - sun[0] * east - sun[1] * north) / np.sqrt(1 + east**2 + north**2)
    return np.clip(lit, 0, 1)


def tint(heights: Grid) -> NDArray[np.float64]:
    """Return a colour for each height, shape (rows, columns, 3), 0 to 255."""
    low, high = np.nanmin(heights), np.nanmax(heights)
    places = np.linspace(low, high if high > low else low + 1, len(TINTS))
    return np.stack([np.interp(heights, places, band) for band in np.array(TINTS, dtype=float).T], axis=-1)


def enlarge(model: Elevation) -> Elevation:
    """Return the model with a whole number of pixels in place of each, so that a small one can be looked at."""
    factor = max(1, round(PICTURE_SIZE / max(model.heights.shape)))
    rows, columns = model.heights.shape
    filled = np.where(np.isfinite(model.heights), model.heights, np.nanmean(model.heights))
    band = Image.fromarray(filled.astype(np.float32))
    large = np.array(band.resize((columns * factor, rows * factor), Image.Resampling.BICUBIC), dtype=np.float64)
    gaps = np.repeat(np.repeat(~np.isfinite(model.heights), factor, axis=0), factor, axis=1)
    large[gaps] = np.nan
    return Elevation(large, (model.pixel_m[0] / factor, model.pixel_m[1] / factor), model.bounds)


def draw(model: Elevation, azimuth: float, altitude: float) -> Image.Image:
    """Return the picture: tinted by height, shaded by the light, transparent where nothing was measured."""
    large = enlarge(model)
    light = shade(large.heights, large.pixel_m, azimuth, altitude)
    flat = math.sin(math.radians(altitude))
    # Level ground keeps its tint; what turns away darkens and what faces the light brightens, doubled to be seen.
    factor = np.clip(1 + 2 * (light - flat), 0.15, 1.6)[..., None]
    measured = np.isfinite(light)
    colours = np.nan_to_num(np.clip(tint(large.heights) * factor, 0, 255)).astype(np.uint8)
    return Image.fromarray(np.dstack([colours, np.where(measured, 255, 0).astype(np.uint8)]))


def summarise(model: Elevation) -> dict[str, Any]:
    """Return the statistics as plain numbers; the slope is that of the model's own pixels."""
    heights = model.heights[np.isfinite(model.heights)]
    east, north = find_slopes(model.heights, model.pixel_m)
    slopes = np.degrees(np.arctan(np.hypot(east, north)))
    return {
        "width": model.heights.shape[1],
        "height": model.heights.shape[0],
        "pixel_size_m": [round(size, 2) for size in model.pixel_m],
        "bounds": model.bounds,
        "missing_pixels": int(model.heights.size - heights.size),
        "elevation_m": {
            "minimum": float(heights.min()),
            "maximum": float(heights.max()),
            "mean": round(float(heights.mean()), 2),
            "standard_deviation": round(float(heights.std()), 2),
        },
        "slope_deg": {"mean": round(float(np.nanmean(slopes)), 2), "maximum": round(float(np.nanmax(slopes)), 2)},
    }


def find_geotiffs(src: str | list[str]) -> list[Path]:
    """Return the GeoTIFFs among files and in directories, sorted.

    Raises:
        ValueError: there is none.
    """
    given = [Path(path) for path in ([src] if isinstance(src, str) else src)]
    files = [file for path in given for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    found = [file for file in files if file.suffix.lower() in {".tif", ".tiff"}]
    if not found:
        raise ValueError(f"no GeoTIFF (.tif, .tiff) among {[str(path) for path in given]}")
    return found


def process_task(worker: Any, task: dict[str, Any], cancel_event: Any = None) -> tuple[int, dict[str, Any]]:
    """Write `<name>_relief.png` and `<name>_statistics.json` into `dst` for each GeoTIFF in `src`."""
    args = task["args"]
    azimuth, altitude = float(args.get("azimuth") or 315), float(args.get("altitude") or 45)
    dst = Path(args["dst"])
    quicklooks, statistics = [], []
    sources = find_geotiffs(args["src"])
    for done, source in enumerate(sources):
        if cancel_event is not None and cancel_event.is_set():
            raise RuntimeError(f"cancelled after {done} of {len(sources)} GeoTIFFs")
        model = read_elevation(source)
        picture, numbers = dst / f"{source.stem}_relief.png", dst / f"{source.stem}_statistics.json"
        draw(model, azimuth, altitude).save(picture)
        numbers.write_text(json.dumps({"source": source.name, **summarise(model)}, indent=2) + "\n", encoding="utf-8")
        worker.log.info("%s: %d x %d pixels", source.name, model.heights.shape[1], model.heights.shape[0])
        worker.status["progress"] = 100 * (done + 1) // len(sources)
        quicklooks.append(str(picture))
        statistics.append(str(numbers))
    return 100, {"quicklooks": quicklooks, "statistics": statistics, "files": [*quicklooks, *statistics]}
