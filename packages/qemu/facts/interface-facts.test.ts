// Traffic counters from the kernel's text.

import assert from "node:assert/strict";
import test from "node:test";
import { readTraffic } from "./interface-facts.ts";

test("counters are read by interface, receive before transmit", () => {
	const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       2    0    0    0     0          0         0      100       2    0    0    0     0       0          0
 vnet0: 18446744073709551615 7 1 3 0 0 0 0 4096 9 4 5 0 0 0 0
`;
	assert.deepEqual(readTraffic(text).get("vnet0"), {
		rxBytes: 18446744073709551615n,
		rxPackets: 7n,
		rxErrors: 1n,
		rxDropped: 3n,
		txBytes: 4096n,
		txPackets: 9n,
		txErrors: 4n,
		txDropped: 5n,
	});
	assert.deepEqual([...readTraffic(text).keys()], ["lo", "vnet0"]);
});
