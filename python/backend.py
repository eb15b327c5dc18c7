"""maturin, with the three commands in the wheel. They are programs, not scripts that call the module: mail programs run
them at each connection, and Python alone takes longer to start than they do to answer."""

import shutil
import subprocess
import sys
from pathlib import Path

import maturin

# What pip puts on the PATH (PyPA: "Binary distribution format", the .data directory).
SCRIPTS = Path("target/m365auth.data/scripts")


def get_requires_for_build_wheel(config_settings=None):
    if not shutil.which("cargo"):
        sys.exit("error: there is no cargo\nhint: install Rust from https://rustup.rs, then try again")
    return []


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    build_commands()
    return maturin.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    build_commands()
    return maturin.build_editable(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory, config_settings=None):
    sys.exit("error: the module is built in a copy of the repository, and has no source archive of its own")


def build_commands():
    root = SCRIPTS.parent.with_name("commands")
    install = ["cargo", "install", "--path", "..", "--locked", "--no-track", "--force", "--root", str(root)]
    subprocess.run(install, check=True)
    shutil.rmtree(SCRIPTS, ignore_errors=True)
    shutil.copytree(root / "bin", SCRIPTS)
