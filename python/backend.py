"""A build backend that adds the three commands to maturin's wheel.

The commands are native programs and not scripts that call the module, because mail programs run them at each connection
and Python alone takes longer to start than they take to print a token."""

import shutil
import subprocess
import sys
from pathlib import Path

import maturin

# pip installs these files on the PATH (PyPA: "Binary distribution format", the .data directory).
SCRIPTS = Path("target/m365auth.data/scripts")


def get_requires_for_build_wheel(config_settings=None):
    if not shutil.which("cargo"):
        sys.exit("error: cargo is not installed\nhint: install Rust from https://rustup.rs, then try again")
    return []


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    build_commands()
    return maturin.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    build_commands()
    return maturin.build_editable(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory, config_settings=None):
    sys.exit(
        "error: source archives are not supported, because the module needs the complete repository\n"
        "hint: run `pip install ./python` in a copy of the repository"
    )


def build_commands():
    root = SCRIPTS.parent.with_name("commands")
    # As packaging/stage: each program contains the list of its crates.
    auditable = ["auditable"] if shutil.which("cargo-auditable") else []
    options = ["--path", "..", "--locked", "--no-track", "--force", "--root", str(root)]
    subprocess.run(["cargo", *auditable, "install", *options], check=True)
    shutil.rmtree(SCRIPTS, ignore_errors=True)
    shutil.copytree(root / "bin", SCRIPTS)
