import assert from "node:assert/strict";
import { test } from "node:test";
import { originGuard, type RequestOrigin } from "../../src/http/guard.ts";

const allowed = "https://app.example.com";
const open = originGuard({ allowedOrigins: [allowed], wantsToken: false });
const locked = originGuard({ allowedOrigins: [allowed], wantsToken: true });

const request = (given: Partial<RequestOrigin>): RequestOrigin => ({
  method: "POST",
  host: "127.0.0.1:8080",
  origin: undefined,
  site: undefined,
  ...given,
});

test("what comes from no page goes on", () => {
  for (const host of ["127.0.0.1:8080", "[::1]:8080", "localhost:8080", "192.0.2.7"]) {
    assert.deepEqual(open(request({ host })), { headers: {} });
  }
});

test("a page of the port itself goes on, a page of another site is refused", () => {
  assert.deepEqual(open(request({ origin: "http://127.0.0.1:8080" })), { headers: {} });
  for (const origin of [
    "http://127.0.0.1:9090",
    "https://evil.example",
    "null",
    "http://[",
    `${allowed}.evil.example`,
  ]) {
    for (const guard of [open, locked]) {
      const { status, body, headers } = guard(request({ origin }));
      assert.equal(status, 403);
      assert.match(body ?? "", /--http-allow-origin/);
      assert.equal(headers["access-control-allow-origin"], undefined);
    }
  }
});

test("a page of another site that leaves its origin out is refused as well", () => {
  for (const site of ["cross-site", "same-site"]) assert.equal(locked(request({ method: "GET", site })).status, 403);
  for (const site of ["same-origin", "none"]) assert.equal(open(request({ method: "GET", site })).status, undefined);
});

test("a name that was pointed at this address is refused, unless a token is wanted or the name is allowed", () => {
  assert.equal(open(request({ host: "rebound.example:8080", origin: "http://rebound.example:8080" })).status, 403);
  assert.equal(open(request({ host: "rebound.example:8080" })).status, 403);
  assert.equal(open(request({ host: undefined })).status, 403);
  assert.equal(locked(request({ host: "runner.example.com" })).status, undefined);
  assert.equal(open(request({ host: "app.example.com", origin: allowed })).status, undefined);
});

test("a page of an allowed origin goes on with the headers of CORS, and may ask first", () => {
  const { status, headers } = open(request({ origin: allowed }));
  assert.equal(status, undefined);
  assert.deepEqual([headers["access-control-allow-origin"], headers.vary], [allowed, "Origin"]);
  const preflight = open(request({ method: "OPTIONS", origin: allowed }));
  assert.equal(preflight.status, 204);
  assert.match(preflight.headers["access-control-allow-headers"] ?? "", /Connect-Protocol-Version.*Authorization/);
  assert.match(preflight.headers["access-control-allow-methods"] ?? "", /POST/);
});
