"""A call between meetd and baresip: writes what each side heard as WAV, and draws all of it in one PNG.

    audio.py MEETD FOLDER

The room speaks rising sweeps, the far end falling ones, so that a glance tells who is heard where. The room is
turned down to half and to nothing on the way, and hears the tone of the end. What is heard is compared with what was
said: delay, gain, and how far the spectra are apart.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

RATE = 16000
# Of a word and of the pause after it, in seconds.
WORD, PAUSE = 0.6, 0.4
HANG_GUARD = 15.0
# The room's volume is full for so long, in seconds.
FULL = 4.0


def words(first_hertz, last_hertz, count):
    """Words that sweep from one pitch to the other, pauses between."""
    at = np.arange(int(WORD * RATE)) / RATE
    envelope = np.sin(np.pi * at / WORD) ** 0.5
    spoken = []
    for word in range(count):
        # Each word a little higher, so that none can be taken for another.
        low, high = (hertz * (1 + 0.06 * word) for hertz in (first_hertz, last_hertz))
        phase = 2 * np.pi * (low * at + (high - low) * at**2 / (2 * WORD))
        spoken += [0.35 * envelope * np.sin(phase), np.zeros(int(PAUSE * RATE))]
    return np.concatenate(spoken)


def write(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def read(path):
    with wave.open(str(path), "rb") as file:
        rate, channels = file.getframerate(), file.getnchannels()
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return rate, samples.reshape(-1, channels).mean(axis=1) / 32768


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(what, question):
    until = time.monotonic() + HANG_GUARD
    while time.monotonic() < until:
        if question():
            return
        time.sleep(0.05)
    sys.exit(f"demo-audio: {what}: not within {HANG_GUARD:.0f} s")


def start_baresip(home, port, speaks):
    modules = next(
        (path for path in ("/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules") if os.path.isdir(path)), None
    )
    if modules is None or shutil.which("baresip") is None:
        sys.exit("demo-audio: there is no baresip (apt-get install baresip-core)")
    home.mkdir()
    (home / "accounts").write_text("<sip:far@127.0.0.1>;regint=0;answermode=auto\n")
    (home / "contacts").write_text("")
    (home / "config").write_text(
        f"""sip_listen 127.0.0.1:{port}
net_interface 127.0.0.1
audio_source aufile,{speaks}
audio_player aubridge,far
audio_alert aubridge,alert
ausrc_srate {RATE}
auplay_srate {RATE}
ausrc_channels 1
auplay_channels 1
module_path {modules}
module g711.so
module g722.so
module aufile.so
module aubridge.so
module sndfile.so
snd_path {home}
module_tmp account.so
module_app menu.so
"""
    )
    log = (home / "log").open("wb")
    baresip = subprocess.Popen(
        ["baresip", "-4", "-f", str(home)], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
    )
    wait_until("baresip is ready", lambda: b"baresip is ready" in (home / "log").read_bytes())
    return baresip


class Room:
    """A meetd without a bridge, told what to do by its own commands."""

    def __init__(self, meetd, home, speaks, hears):
        self.meetd, self.home = meetd, home
        for name in ("state", "run"):
            (home / name).mkdir(parents=True)
        self.environment = os.environ | {
            "STATE_DIRECTORY": str(home / "state"),
            "RUNTIME_DIRECTORY": str(home / "run"),
        }
        (home / "meetd.toml").write_text(
            f"""[room]
endpoint_id = "demo"
[bridge]
enabled = false
url = "wss://bridge.invalid/"
token_file = ""
[calls]
allow = ["127.0.0.0/8"]
[sip]
identity = "sip:room@127.0.0.1"
listen = ["127.0.0.1:0"]
[media]
input = "file:{speaks}"
output = "file:{hears}"
# Sweeps are noise to what takes noise out of a voice.
processing = "off"
"""
        )
        self.log = (home / "log").open("wb")
        command = [meetd, "run", "--config", str(home / "meetd.toml")]
        self.daemon = subprocess.Popen(command, env=self.environment, stdout=self.log, stderr=subprocess.STDOUT)
        wait_until("meetd runs", lambda: self.run("status").returncode == 0)

    def run(self, *arguments, **options):
        command = [self.meetd, *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, **options)

    def begin(self, *arguments):
        return subprocess.Popen([self.meetd, *arguments], env=self.environment, stdout=subprocess.DEVNULL)

    def call(self):
        status = self.run("status", "--json")
        return json.loads(status.stdout)["call"] if status.returncode == 0 else None

    def state(self):
        call = self.call()
        return call["state"] if call else "IDLE"


def talk(meetd, home, files):
    """Makes the call; what was agreed and counted."""
    port = free_port()
    baresip = start_baresip(home / "baresip", port, files["far end said"])
    room = None
    try:
        room = Room(meetd, home / "meetd", files["room said"], files["room heard"])
        joining = room.begin(
            "join", "--endpoint", f"sip:far@127.0.0.1:{port}", "--protocol", "SIP", "--provider", "custom"
        )
        wait_until("the call is answered", lambda: room.state() == "ACTIVE")
        joining.wait(timeout=HANG_GUARD)
        answered = time.monotonic()
        turned = []
        for wait, percent in ((FULL, 50), (2, 0), (2, 100)):
            time.sleep(wait)
            turned.append((time.monotonic() - answered, percent))
            room.run("volume", str(percent), check=True)
        time.sleep(2)
        figures = room.call()
        figures["volumes"] = [
            (begin, end, percent) for (begin, percent), (end, _) in zip(turned, turned[1:] + [(0, 0)]) if percent < 100
        ]
        room.run("end", check=True)
        wait_until("the call is over", lambda: room.state() == "IDLE")
        time.sleep(1.5)
        return figures
    except SystemExit:
        for log in home.glob("*/log"):
            print(f"---- {log}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-40:]), file=sys.stderr)
        raise
    finally:
        for program in filter(None, (room and room.daemon, baresip)):
            program.send_signal(signal.SIGTERM)
            program.wait(timeout=HANG_GUARD)
        # baresip writes what it decodes under a name of its own.
        for dump in (home / "baresip").glob("dump-*-dec.wav"):
            shutil.copy(dump, files["far end heard"])


def at_rate(samples, rate):
    """The same at RATE."""
    if rate == RATE:
        return samples
    count = int(len(samples) * RATE / rate)
    spectrum = np.fft.rfft(samples)
    wanted = np.zeros(count // 2 + 1, dtype=complex)
    both = min(len(spectrum), len(wanted))
    wanted[:both] = spectrum[:both]
    return np.fft.irfft(wanted, count) * RATE / rate


def compare(said, heard):
    """How much later, louder and different the first words are heard: ms, dB, dB."""
    said = said[: int(FULL * RATE)]
    size = 1 << (len(said) + len(heard)).bit_length()
    alike = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(said, size)), size)
    # What was said may have begun a little before the recording of what was heard.
    lag = int(np.argmax(np.roll(alike, RATE // 5)[: 2 * RATE])) - RATE // 5
    said, heard = said[max(0, -lag) :], heard[max(0, lag) :]
    length = min(len(said), len(heard))
    spectra = []
    for samples in (said[:length], heard[:length]):
        frames = np.lib.stride_tricks.sliding_window_view(samples, 512)[::256] * np.hanning(512)
        power = np.abs(np.fft.rfft(frames)) ** 2
        # Bands of 250 Hz, from there up to what every codec here carries.
        spectra.append(power[:, 8:104].reshape(len(power), 12, 8).sum(axis=2))
    spoken = spectra[0].sum(axis=1) > spectra[0].sum(axis=1).max() * 1e-3
    first, second = (spectrum[spoken] for spectrum in spectra)
    gain = second.sum() / first.sum()
    floor = first.max(axis=1, keepdims=True) * 1e-3
    apart = 10 * np.log10((second / gain + floor) / (first + floor))
    distance = np.sqrt((apart**2).mean(axis=1)).mean()
    return lag * 1000 / RATE, 10 * np.log10(gain), distance


def spectrogram(samples):
    """Short-time power in dB of a full-scale sine, bins by frames."""
    window = np.hanning(512)
    frames = np.lib.stride_tricks.sliding_window_view(samples, 512)[::128] * window
    power = np.abs(np.fft.rfft(frames)) ** 2 / (window.sum() / 2) ** 2
    return 10 * np.log10(np.maximum(power.T, 1e-12))


def draw(files, figures, path):
    sounds = {name: at_rate(*reversed(read(file))) for name, file in files.items()}
    longest = max(len(samples) for samples in sounds.values()) / RATE
    figure, axes = plt.subplots(
        4, 2, figsize=(18, 13), sharex=True, constrained_layout=True, gridspec_kw={"width_ratios": (1, 1.15)}
    )
    colours = {"room said": "#1f6f8b", "far end heard": "#1f6f8b", "far end said": "#b3541e", "room heard": "#b3541e"}
    original = {"far end heard": "room said", "room heard": "far end said"}
    for (name, samples), (wide, spectral) in zip(sounds.items(), axes):
        at = np.arange(len(samples)) / RATE
        level = 20 * np.log10(max(np.sqrt(np.mean(samples**2)), 1e-6))
        title = f"The {name} ({level:.1f} dBFS)"
        if name in original:
            delay, gain, distance = compare(sounds[original[name]], samples)
            title += f": delay {delay:.0f} ms, gain {gain:+.1f} dB, spectra {distance:.1f} dB apart"
        wide.plot(at, samples, linewidth=0.4, color=colours[name])
        wide.set_title(title, loc="left", fontsize=12, fontweight="bold", color=colours[name])
        wide.set(ylim=(-0.5, 0.5), ylabel="amplitude, of full scale")
        wide.grid(alpha=0.3)
        decibels = spectrogram(samples)
        shown = spectral.imshow(
            decibels,
            origin="lower",
            aspect="auto",
            extent=(0, len(samples) / RATE, 0, RATE / 2000),
            vmin=-90,
            vmax=-10,
            cmap="magma",
        )
        spectral.set(ylim=(0, RATE / 2000), ylabel="kHz", facecolor="black")
        figure.colorbar(shown, ax=spectral, pad=0.01, label="dBFS")
    for axis in axes[-1]:
        axis.set(xlabel="seconds", xlim=(0, longest))
    for begin, end, percent in figures["volumes"]:
        axes[3][0].axvspan(begin, end, color="grey", alpha=0.15)
        axes[3][0].text((begin + end) / 2, 0.42, f"volume {percent}", ha="center", fontsize=10)
    media = figures["media"]
    names = {
        "rxPackets": "packets received",
        "txPackets": "sent",
        "lossPercent": "lost %",
        "jitterMs": "jitter ms",
        "rttMs": "round trip ms",
        "concealedPercent": "made up %",
        "mos": "MOS",
    }
    told = "   ".join(
        f"{names[key]} {round(media[key], 2):g}" for key in names if media.get(key) is not None
    )
    figure.suptitle(
        f"A call between meetd and baresip in {figures['codec'].upper()}\n{told}\n"
        f"delay, gain and spectral distance are of the first {FULL:g} s, before the volume changes; the delay counts "
        "from the first sample of the recording",
        fontsize=12,
    )
    figure.savefig(path, dpi=80)


def main():
    meetd, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        name: (folder / (name.replace(" ", "_") + ".wav")).absolute()
        for name in ("room said", "far end heard", "far end said", "room heard")
    }
    write(files["room said"], words(400, 2800, 12))
    write(files["far end said"], words(3000, 500, 12))
    for name in ("far end heard", "room heard"):
        files[name].unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="meetd-demo-audio-") as home:
        figures = talk(meetd, Path(home), files)
    picture = folder / "demo-audio.png"
    draw(files, figures, picture)
    for path in (*files.values(), picture):
        print(f"demo-audio: {path}")


main()
