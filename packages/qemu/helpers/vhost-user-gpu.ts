// The programs that render cards with <driver name='vhostuser'/>: one process a card, apart from the guest's own.

import { spawnSync } from "node:child_process";
import { isVhostUser, videoSocket } from "../devices/video.ts";
import { gpuProgram } from "../devices/video-start-check.ts";
import type { HelperContext, HelperKind, HelperPlan } from "./helper.ts";

/** What a program for vhost-user says that it can do (QEMU: vhost-user.json). */
export function gpuFeatures(program: string): readonly string[] {
	const { stdout } = spawnSync(program, ["--print-capabilities"], { encoding: "utf8", timeout: 10_000 });
	try {
		return (JSON.parse(stdout) as { readonly features?: readonly string[] }).features ?? [];
	} catch {
		return [];
	}
}

function planOne({ driver, run }: HelperContext, video: HelperContext["def"]["devices"]["videos"][number]): HelperPlan {
	const { accel3d, rendernode } = video.model.acceleration ?? {};
	const socket = videoSocket(video, run.paths.work);
	return {
		name: `vhost-user-gpu of ${video.alias}`,
		program: gpuProgram(video, driver.host.files, gpuFeatures),
		args: [
			`--socket-path=${socket}`,
			...(accel3d ? ["--virgl"] : []),
			...(rendernode === undefined ? [] : [`--render-node=${rendernode}`]),
		],
		runAs: driver.runAs,
		logName: `${video.alias}-vhost-user-gpu`,
		ready: socket,
	};
}

export const vhostUserGpu: HelperKind = {
	plan: (context) => context.def.devices.videos.filter(isVhostUser).map((video) => planOne(context, video)),
};
