#!/usr/bin/env python3
"""What a replay costs against decode alone and inference alone, measured in one run.

Prints a table and writes target/bench/replay.json. All three parts run on one thread each and are
measured as whole processes by the kernel's accounting (user + system CPU seconds, children included):

- replay:    edge-agent replay CLIP --pipeline pipelines/pets.toml --gate off --stills off
- decode:    gst-launch-1.0 decoding the same clip with the same element into nothing
- inference: ONNX Runtime's own Python binding running the same model over as many constant pictures,
             less the same process with none

The three are taken in turn, RUNS times; the ratio is of each turn's figures, its median is the result.
One covered still is printed apart: the CPU of a replay with stills less one without, over their number.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(
    os.environ.get("SIGNALBOX_CACHE")
    or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "signalbox"
)
CLIP = CACHE / "clips" / "vtest.avi"
AGENT = ROOT / "target" / "debug" / "edge-agent"
PYTHON = CACHE / "bench-venv" / "bin" / "python"
RUNS = int(os.environ.get("RUNS", "5"))

INFERENCE = """
import sys, numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
options.add_session_config_entry("session.intra_op.allow_spinning", "0")
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
picture = numpy.full((1, 3, 416, 416), 114, dtype=numpy.float32)
name = session.get_inputs()[0].name
for _ in range(int(sys.argv[2])):
    session.run(None, {name: picture})
"""


def cpu_seconds(command):
    """User + system CPU seconds of a command and its children."""
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log, cwd=ROOT)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            log.seek(0)
            sys.exit(f"bench: {command[0]} failed:\n{log.read().decode(errors='replace')[-2000:]}")
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def replay(folder, stills):
    stats = folder / "stats.json"
    seconds, memory = cpu_seconds(
        [AGENT, "replay", CLIP, "--pipeline", "pipelines/pets.toml", "--gate", "off", "--stats", stats]
        + (["--stills", "off"] if not stills else [])
    )
    return seconds, memory, json.loads(stats.read_text())


def decode():
    return cpu_seconds(
        ["gst-launch-1.0", "-q", "filesrc", f"location={CLIP}", "!", "avidemux", "!",
         "avdec_msmpeg4", "!", "fakesink", "sync=false"]
    )[0]


def inference(frames):
    model = CACHE / "models" / "yolox-nano.onnx"
    run = lambda n: cpu_seconds([PYTHON, "-c", INFERENCE, model, n])[0]
    return run(frames) - run(0)


def reference():
    """ONNX Runtime's Python binding, of the pinned version that set-up takes the library from."""
    installed = PYTHON.exists() and subprocess.run([PYTHON, "-c", "import onnxruntime"], capture_output=True)
    if installed and installed.returncode == 0:
        return
    print("bench: installing the reference (onnxruntime for Python) ...", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", PYTHON.parents[1]], check=True)
    subprocess.run([PYTHON, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r",
                    ROOT / "models" / "requirements.txt"], check=True)


def main():
    for path in (CLIP, AGENT):
        if not path.exists():
            sys.exit(f"bench: {path} is missing: run `make setup build`")
    reference()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for turn in range(RUNS):
            whole, memory, stats = replay(folder, stills=False)
            frames = stats["frames_analysed"]
            decoding, inferring = decode(), inference(frames)
            rows.append((whole, decoding, inferring, whole / (decoding + inferring)))
            print(f"bench: turn {turn + 1} of {RUNS}: replay {whole:.2f} s, decode {decoding:.2f} s, "
                  f"inference {inferring:.2f} s, ratio {rows[-1][3]:.3f}", file=sys.stderr)
        with_stills, _, still_stats = replay(folder, stills=True)
    median = lambda column: statistics.median(row[column] for row in rows)
    still_ms = max(with_stills - median(0), 0.0) * 1e3 / max(still_stats["stills"], 1)
    figures = {
        "replay_cpu_seconds": round(median(0), 3),
        "decode_alone_cpu_seconds": round(median(1), 3),
        "inference_alone_cpu_seconds": round(median(2), 3),
        "replay_over_decode_and_inference_ratio": round(median(3), 4),
        "replay_cpu_ms_per_frame": round(median(0) * 1e3 / frames, 3),
        "covered_still_cpu_ms": round(still_ms, 1),
        "covered_stills_count": still_stats["stills"],
        "peak_memory_bytes": memory,
    }
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    out = ROOT / "target" / "bench" / "replay.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({
        "name": "replay", "commit": commit.stdout.strip(), "cpu": cpu, "runs": RUNS, "figures": figures,
        "against": {"decode": "gst-launch-1.0 avidemux avdec_msmpeg4",
                    "inference": "onnxruntime (Python), one thread, constant picture",
                    "bar_ratio": 1.15},
    }, indent=2) + "\n")
    width = max(map(len, figures))
    for name, value in figures.items():
        print(f"{name:{width}}  {value}")
    print(f"written: {out.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
