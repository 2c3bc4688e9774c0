// The helper of SCSI persistent reservations: it issues what QEMU may not, for disks that leave it to the daemon.

import { chownSync } from "node:fs";
import { managedReservationsSocket, PR_HELPER, usesManagedReservations } from "../devices/disk-build.ts";
import { needProgram } from "./find.ts";
import type { HelperKind } from "./helper.ts";

export const prHelper: HelperKind = {
	plan: ({ driver: { runAs }, run, def }) => {
		if (!usesManagedReservations(def)) return [];
		const socket = managedReservationsSocket(run.paths.work);
		return [
			{
				name: PR_HELPER,
				program: needProgram("qemu-pr-helper", "Debian's package qemu-utils"),
				args: ["-k", socket],
				logName: "pr-helper",
				ready: socket,
				onReady: () => {
					if (runAs) chownSync(socket, runAs.uid, runAs.gid);
				},
			},
		];
	},
};
