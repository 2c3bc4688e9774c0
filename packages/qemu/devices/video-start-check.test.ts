// Which of the host's programs renders a card.

import assert from "node:assert/strict";
import test from "node:test";
import { defineContext, hostFilesOf } from "@virtkit/testing/define-context";
import { gpuProgram } from "./video-start-check.ts";

const describe = (binary: string, type = "gpu"): string => JSON.stringify({ description: "one", type, binary });
const FILES = {
	"/usr/share/qemu/vhost-user/50-gpu.json": describe("/usr/lib/plain"),
	"/usr/share/qemu/vhost-user/40-fs.json": describe("/usr/lib/fs", "fs"),
	"/usr/share/qemu/vhost-user/60-gpu.json": describe("/usr/lib/replaced"),
	"/etc/qemu/vhost-user/60-gpu.json": describe("/opt/virgl"),
	"/etc/qemu/vhost-user/10-broken.json": "{",
};

function card(acceleration: string) {
	const text = `<video><driver name='vhostuser'/><model type='virtio'>${acceleration}</model></video>`;
	const [video] = defineContext(text).def.devices.videos;
	assert.ok(video);
	return video;
}

test("the first program that can do what the card needs is taken, the host's own descriptions before the distribution's", () => {
	const files = hostFilesOf(FILES);
	const featuresOf = (program: string): string[] => (program === "/opt/virgl" ? ["virgl"] : []);
	assert.equal(gpuProgram(card(""), files, featuresOf), "/usr/lib/plain");
	assert.equal(gpuProgram(card("<acceleration accel3d='yes'/>"), files, featuresOf), "/opt/virgl");
	const node = card("<acceleration accel3d='yes' rendernode='/dev/dri/renderD128'/>");
	assert.throws(() => gpuProgram(node, files, featuresOf), { code: "OPERATION_FAILED" });
	assert.throws(() => gpuProgram(card(""), hostFilesOf({}), featuresOf), { code: "OPERATION_FAILED" });
});
