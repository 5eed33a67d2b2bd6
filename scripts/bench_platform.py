"""What the platform adds to a packet: paced callers against the echo engine, no model.

Each caller sends 20 ms packets as a browser does and times each one's way through consumer, queue pair, worker thread
and back. Prints JSON per number of callers: round trip p50/p95/p99, packets lost, packets the server says it dropped,
processor share and memory of the server.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import websockets

from inference.protocol import AUDIO_RATE_HZ, SAMPLE_BYTES, Packet, PacketKind, pack, unpack
from scripts.served import Served, served

PACKET_SAMPLES = 480
PACKET_S = PACKET_SAMPLES / AUDIO_RATE_HZ
WARM_UP_S = 2.0
DRAIN_S = 2.0


@dataclass(slots=True)
class Caller:
    """One paced session and what it measured."""

    sent_at: dict[int, float] = field(default_factory=dict)
    round_trips_ms: list[float] = field(default_factory=list)
    lateness_ms: list[float] = field(default_factory=list)
    """How late this client itself sent: a slow client must not look like a slow server."""
    dropped: int = 0
    packets_sent: int = 0

    async def run(self, server: Served, seconds: float, offset_s: float) -> None:
        headers = {"Authorization": f"Bearer {server.key}"}
        url = f"{server.websocket_url}?model=storyteller&tier=troupe"
        async with websockets.connect(url, additional_headers=headers, compression=None) as socket:
            await self._ready(socket)
            await asyncio.sleep(offset_s)
            reader = asyncio.create_task(self._read(socket), name="read")
            await self._send(socket, seconds)
            await asyncio.sleep(DRAIN_S)
            reader.cancel()

    async def _ready(self, socket: Any) -> None:
        async with asyncio.timeout(60):
            async for message in socket:
                if isinstance(message, str) and json.loads(message)["type"] == "troupe.session.ready":
                    return

    async def _send(self, socket: Any, seconds: float) -> None:
        start = time.perf_counter()
        silence = bytes(PACKET_SAMPLES * SAMPLE_BYTES)
        for sequence in range(int(seconds / PACKET_S)):
            due = start + sequence * PACKET_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            now = time.perf_counter()
            if now - start > WARM_UP_S:
                self.lateness_ms.append((now - due) * 1000)
            position = sequence * PACKET_SAMPLES
            self.sent_at[position] = now
            self.packets_sent += 1
            await socket.send(pack(Packet(PacketKind.AUDIO_IN, sequence, position, silence)))

    async def _read(self, socket: Any) -> None:
        started = time.perf_counter()
        async for message in socket:
            now = time.perf_counter()
            if isinstance(message, str):
                event = json.loads(message)
                if event["type"] == "troupe.dropped":
                    self.dropped = event["uplink_packets"] + event["downlink_frames"]
                continue
            packet = unpack(message)
            for position in range(packet.position, packet.position + len(packet.pcm) // SAMPLE_BYTES, PACKET_SAMPLES):
                sent_at = self.sent_at.pop(position, None)
                if sent_at is not None and sent_at - started > WARM_UP_S:
                    self.round_trips_ms.append((now - sent_at) * 1000)


def _percentiles(values: list[float]) -> dict[str, float]:
    if len(values) < 2:
        return {}
    cuts = statistics.quantiles(values, n=100)
    shown = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(values)}
    return {name: round(value, 2) for name, value in shown.items()}


async def measure(server: Served, callers: int, seconds: float) -> dict[str, Any]:
    resident_mb, cpu_s, start = server.resident_mb(), server.cpu_seconds(), time.perf_counter()
    crowd = [Caller() for _ in range(callers)]
    async with asyncio.TaskGroup() as tasks:
        for number, caller in enumerate(crowd):
            tasks.create_task(caller.run(server, seconds, offset_s=PACKET_S * number / callers))
    elapsed = time.perf_counter() - start
    return {
        "callers": callers,
        "packets_per_second": round(callers / PACKET_S),
        "round_trip_ms": _percentiles([ms for caller in crowd for ms in caller.round_trips_ms]),
        "client_lateness_ms": _percentiles([ms for caller in crowd for ms in caller.lateness_ms]),
        "packets_sent": sum(caller.packets_sent for caller in crowd),
        "packets_not_returned": sum(len(caller.sent_at) for caller in crowd),
        "dropped_and_reported": sum(caller.dropped for caller in crowd),
        "server_cpu_share": round((server.cpu_seconds() - cpu_s) / elapsed, 3),
        "server_mb_before": round(resident_mb, 1),
        "server_mb_per_session": round((server.resident_mb() - resident_mb) / callers, 2),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 8, 32, 64])
    parser.add_argument("--seconds", type=float, default=15.0)
    options = parser.parse_args()
    with served(INFERENCE_LANE="echo", INFERENCE_SLOTS=str(max(options.callers) + 1)) as server:
        rows = [asyncio.run(measure(server, callers, options.seconds)) for callers in options.callers]
    machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    print(json.dumps({"bench": "platform", "conditions": machine | {"client": "same machine"}, "rows": rows}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
