"""The chores of this repository, each one command: ``python3 tasks.py demo``, ``python3 tasks.py test`` and their kin.

Laws: the first part (preparing ``.venv``) uses the standard library alone and runs on a machine that has nothing but
Python; the second part are invoke tasks, and each runs commands that a person could type. What is installed is
exactly what ``requirements.lock`` pins, by hash, plus the four packages of this repository in editable form.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / "prepared.sha256"
PACKAGES = ("cryocloud-core", "cryocloud-modules-builtin", "cryocloud-idl", "cryocloud-ffmpeg")
SHADED_RELIEF = ROOT / "templates" / "workflows" / "shaded_relief"


# --- Preparing .venv: standard library only ---------------------------------------------------------------------------


def fingerprint() -> str:
    """Return the digest of everything that decides what .venv must contain."""
    digest = hashlib.sha256()
    for path in (LOCK, *(ROOT / package / "pyproject.toml" for package in PACKAGES)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def run(*command: str | Path) -> None:
    """Run a command in the repository, showing it first; a failure ends this process with the command's status."""
    words = [str(word) for word in command]
    print("+", shlex.join(words), flush=True)
    status = subprocess.run(words, cwd=ROOT, check=False, stdin=subprocess.DEVNULL).returncode
    if status:
        sys.exit(status if status > 0 else 128 - status)


def find_uv() -> str | None:
    """Return a uv that works: .venv's own, else the one on PATH (which may be a shim without a program behind it)."""
    for candidate in (VENV / "bin" / "uv", shutil.which("uv")):
        if candidate and Path(candidate).exists():
            answer = subprocess.run([str(candidate), "--version"], capture_output=True, check=False)
            if answer.returncode == 0:
                return str(candidate)
    return None


def create_with_pip() -> None:
    """Create an empty .venv with pip in it.

    Raises:
        SystemExit: this Python cannot; the message names the packages that would help.
    """
    try:
        import ensurepip  # noqa: F401 - Debian's Python has venv without it
        import venv
    except ImportError:
        sys.exit(
            "tasks.py: this Python cannot make virtual environments (the module ensurepip is missing) and there is no "
            "uv that works. Do one of these and run the command again:\n"
            "  apt install python3-venv        (Debian, Ubuntu)\n"
            "  pip install uv                  (where pip is allowed to install)"
        )
    if VENV.exists():  # made by uv, without pip
        shutil.rmtree(VENV)
    print("+", sys.executable, "-m venv", VENV, flush=True)
    venv.create(VENV, with_pip=True)


def get_uv() -> str | None:
    """Install the locked uv into .venv with pip, checked by hash; None where pip cannot."""
    blocks = LOCK.read_text(encoding="utf-8").replace("\\\n    ", "\\").splitlines()
    wanted = [block.replace("\\", "\\\n    ") for block in blocks if block.startswith("uv==")]
    with tempfile.TemporaryDirectory() as folder:
        requirement = Path(folder) / "uv.txt"
        requirement.write_text("\n".join(wanted), encoding="utf-8")
        command = [str(PYTHON), "-m", "pip", "install", "-q", "--require-hashes", "-r", str(requirement)]
        subprocess.run(command, cwd=ROOT, check=False, stdin=subprocess.DEVNULL)
    return find_uv()


def fill(*pip: str) -> None:
    """Install what the lock pins and this repository's packages with the given installer."""
    editable = [word for package in PACKAGES for word in ("-e", f"./{package}")]
    run(*pip, "install", "--quiet", "--require-hashes", "-r", LOCK)
    run(*pip, "install", "--quiet", "--no-deps", "--no-build-isolation", *editable)


def install_with_uv(uv: str) -> bool:
    """Create .venv where it is missing and fill it; False when uv cannot (a registry that only pip knows, say)."""
    # Machines behind a proxy have its certificate in the system's store; uv looks there only when it is told.
    os.environ.setdefault("UV_SYSTEM_CERTS", "1")
    os.environ["VIRTUAL_ENV"] = str(VENV)
    try:
        if not PYTHON.exists():
            run(uv, "venv", "--quiet", "--no-python-downloads", "--python", sys.executable, VENV)
        fill(uv, "pip")
    except SystemExit:
        print("tasks.py: uv could not do it (see above); going on with pip", flush=True)
        return False
    return True


def has_pip() -> bool:
    """Tell whether .venv is there and has pip in it; one made by uv has none."""
    if not PYTHON.exists():
        return False
    return subprocess.run([str(PYTHON), "-c", "import pip"], capture_output=True, check=False).returncode == 0


def install() -> None:
    """Create .venv where it is missing and fill it: with uv where it can be had, else with pip alone."""
    if VENV.exists() and not PYTHON.exists():  # what is left of one whose Python has gone
        shutil.rmtree(VENV)
    uv = find_uv()
    if not uv:
        if not has_pip():
            create_with_pip()
        uv = get_uv()
    if uv and install_with_uv(uv):
        return
    if not has_pip():
        create_with_pip()
    fill(str(PYTHON), "-m", "pip")


def prepare() -> None:
    """Make .venv what the lock says; does nothing when it is so already."""
    wanted = fingerprint()
    if STAMP.is_file() and PYTHON.exists() and STAMP.read_text(encoding="utf-8") == wanted:
        return
    print("tasks.py: preparing", VENV, "(a minute the first time)", flush=True)
    install()
    STAMP.write_text(wanted, encoding="utf-8")


def main() -> None:
    """Prepare .venv, then run the invoke tasks named on the command line inside it."""
    if sys.version_info < (3, 11):  # noqa: UP036 - an older Python is to hear it from us, not from a traceback
        sys.exit(f"tasks.py: Python 3.11 or newer is needed, this is {sys.version.split()[0]} ({sys.executable})")
    prepare()
    words = sys.argv[1:] or ["--list"]
    os.execv(PYTHON, [str(PYTHON), "-m", "invoke", "--search-root", str(ROOT), *words])  # noqa: S606


if __name__ == "__main__":
    main()


# --- The tasks: run on .venv's Python ---------------------------------------------------------------------------------

from invoke.context import Context  # noqa: E402 - only there once .venv is prepared
from invoke.tasks import task  # noqa: E402


def tool(name: str) -> Path:
    """Return a program of .venv, as a path that can be typed from the repository."""
    return Path(".venv") / "bin" / name


@task(help={"out": "where the results go (default: demo-output in the repository)"})
def demo(_: Context, out: str = "demo-output") -> None:
    """Run the shaded-relief workflow on a real elevation model that arrives zipped in a watched directory."""
    target = (ROOT / out).resolve()
    with tempfile.TemporaryDirectory(prefix="cryocloud-demo-") as folder:
        incoming = Path(folder) / "incoming"
        incoming.mkdir()
        shutil.make_archive(str(incoming / "rmnp-dem"), "zip", SHADED_RELIEF / "data", "rmnp-dem.tif")
        workflow = (SHADED_RELIEF / "workflow.json").relative_to(ROOT)
        flags = ("--once", "--state-dir", Path(folder) / "state", "--in", incoming, "--out", target)
        run(tool("cryocloud"), "run", workflow, *flags)
    pictures = sorted(target.glob("*.png"))
    if not pictures:
        sys.exit(f"demo: the run ended without an error, but {target} holds no picture")
    print("The shaded relief:", *pictures, sep="\n  ")


@task
def check(_: Context) -> None:
    """Judge the sources without running them: ruff, format, mypy, import contracts."""
    run(tool("ruff"), "check", ".")
    run(tool("ruff"), "format", "--check", ".")
    run(tool("mypy"))
    run(tool("lint-imports"))


@task(pre=[check], help={"cov": "measure coverage as well"})
def test(_: Context, cov: bool = False) -> None:
    """Run every check and every test."""
    run(tool("python"), "-m", "pytest", *(["--cov", "--cov-report=term"] if cov else []))


@task(help={"pebbles": "how many", "kills": "kill -9", "stops": "SIGTERM", "seed": "the seed of an earlier campaign"})
def campaign(_: Context, pebbles: int = 200, kills: int = 100, stops: int = 20, seed: int = -1) -> None:
    """Kill a run again and again and prove that nothing was lost and nothing done twice."""
    flags = ["--pebbles", str(pebbles), "--kills", str(kills), "--stops", str(stops)]
    chosen = ["--seed", str(seed)] if seed >= 0 else []
    run(tool("python"), "tests/system/run_campaign.py", *flags, *chosen)


@task(help={"pebbles": "at least so many", "seed": "of the first world"})
def simulate(_: Context, pebbles: int = 100_000, seed: int = 0) -> None:
    """Drive random workflows through crashes, losses and repeats under a virtual clock, and check the engine's laws."""
    flags = ["--pebbles", str(pebbles), "--seed", str(seed)]
    run(tool("python"), "-m", "cryocloud_core.testing.simulation.campaigns", *flags)


@task(help={"cases": "how many", "seed": "of the first case", "lines": "cases of each server behind a breaking line"})
def hostile(_: Context, cases: int = 1000, seed: int = 0, lines: int = 25) -> None:
    """Fetch from servers that cut, lie, change, freeze and send rubbish, and prove that no wrong file gets its name."""
    run(tool("python"), "-m", "tests.hostile.run_hostile", "--cases", str(cases), "--seed", str(seed))
    os.environ["CRYOCLOUD_HOSTILE_LINES"] = str(lines)
    run(tool("python"), "-m", "pytest", "tests/hostile/test_broken_lines.py")


@task(help={"count": "how many changes", "seed": "of the sample; -1 draws one"})
def mutants(_: Context, count: int = 200, seed: int = -1) -> None:
    """Change the engine in small ways and tell which changes its tests do not notice."""
    chosen = ["--seed", str(seed)] if seed >= 0 else []
    run(tool("python"), "tests/mutants/run_mutants.py", "--count", str(count), *chosen)


@task
def fix(_: Context) -> None:
    """Let ruff repair and format what it can."""
    run(tool("ruff"), "check", "--fix", ".")
    run(tool("ruff"), "format", ".")


@task
def docs(_: Context) -> None:
    """Write the generated pages of docs/reference from the code."""
    run(tool("python"), "docs/generate.py")


@task(
    help={
        "only": "of W1,W2,W3,W4,W5,W6,idle,start; else all",
        "quick": "smaller numbers: a look in a few minutes",
        "out": "keep the figures here, as JSON",
        "against": "show what an earlier --out holds beside them",
    }
)
def bench(_: Context, only: str = "", quick: bool = False, out: str = "", against: str = "") -> None:
    """Measure what the system costs: one table, with ratios to what stands beside it in the same run."""
    valued = (("--only", only), ("--out", out), ("--against", against))
    flags = [word for flag, value in valued if value for word in (flag, value)]
    run(tool("python"), "-m", "benchmarks", *flags, *(["--quick"] if quick else []))


@task
def build(_: Context) -> None:
    """Build a wheel and a source archive of each package into dist/."""
    for package in PACKAGES:
        run(tool("python"), "-m", "build", "--no-isolation", "--outdir", "dist", package)


@task(help={"upgrade": "move to the newest versions that the packages allow"})
def lock(_: Context, upgrade: bool = False) -> None:
    """Write requirements.lock anew: hashes of everything, the host of nothing."""
    own = [word for package in PACKAGES for word in ("--no-emit-package", package)]
    shape = ["--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate"]
    sources = ["--group", "pyproject.toml:dev", *(f"{package}/pyproject.toml" for package in PACKAGES)]
    flags = ["--quiet", "--no-emit-index-url", *(["--upgrade"] if upgrade else []), *own]
    run(find_uv() or "uv", "pip", "compile", *shape, *flags, *sources, "--output-file", LOCK.name)
