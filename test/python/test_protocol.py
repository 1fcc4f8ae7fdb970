from __future__ import annotations

import asyncio
import json

from plugin_runner.ray_gateway_links import LinkLost, WorkerLinks


def test_the_gateway_refuses_a_worker_of_another_version_of_the_protocol() -> None:
    async def refused() -> None:
        async with WorkerLinks("127.0.0.1") as links:
            found = links.expect("w-1")
            reader, writer = await asyncio.open_connection(*links.address)
            ready = json.dumps({"type": "ready", "protocol": 0, "runtime": "python 3.9.1"})
            writer.write(f"{links.secret} w-1\n".encode())
            link = await found
            answer = link.request(b'{"type":"run"}')
            writer.write(f"{ready}\n".encode())
            while await reader.read(1000):
                pass
            assert isinstance((await asyncio.wait_for(asyncio.gather(answer, return_exceptions=True), 10))[0], LinkLost)
            assert link.refused is not None
            assert link.refused.reason == "PLUGIN_INVALID"
            assert link.refused.metadata == {
                "worker_protocol": "0",
                "service_protocol": "1",
                "runtime": "python 3.9.1",
            }
            writer.close()

    asyncio.run(refused())
