// Which module declares which commands, so that a call loads only the one that it needs; a test holds it to the declarations.

import type { CliCommand } from "./declare.ts";

/** A module of commands. */
export interface CommandModule {
	/** Keyword of the group that its commands belong to, unless the group claims some by name. */
	readonly group: string;
	/** Names and aliases of its commands, in order, separated by blanks. */
	readonly names: string;
	readonly load: () => Promise<readonly CliCommand[]>;
}

export const MODULES: readonly CommandModule[] = [
	{
		group: "domain",
		names: "start shutdown reboot reset suspend resume inject-nmi destroy send-key console screenshot",
		load: async () => (await import("./lifecycle.ts")).lifecycleCommands,
	},
	{
		group: "domain",
		names: "define create dumpxml edit domrename autostart desc metadata domxml-from-native domxml-to-native",
		load: async () => (await import("./definition.ts")).definitionCommands,
	},
	{
		group: "domain",
		names:
			"save restore managedsave managedsave-remove managedsave-dumpxml managedsave-define managedsave-edit save-image-dumpxml save-image-define save-image-edit dump",
		load: async () => (await import("./save.ts")).saveCommands,
	},
	{
		group: "domain",
		names: "setmem setmaxmem setvcpus vcpucount vcpuinfo schedinfo cpu-stats",
		load: async () => (await import("./tuning.ts")).tuningCommands,
	},
	{
		group: "domain",
		names: "vcpupin emulatorpin iothreadinfo iothreadpin iothreadadd iothreadset iothreaddel",
		load: async () => (await import("./pinning.ts")).pinningCommands,
	},
	{
		group: "domain",
		names: "memtune blkiotune numatune domiftune blkdeviotune perf",
		load: async () => (await import("./limits.ts")).limitCommands,
	},
	{
		group: "domain",
		names: "attach-device detach-device update-device detach-device-alias",
		load: async () => (await import("./attach.ts")).attachCommands,
	},
	{
		group: "domain",
		names: "attach-disk detach-disk change-media",
		load: async () => (await import("./disks.ts")).diskCommands,
	},
	{
		group: "domain",
		names: "attach-interface detach-interface domif-setlink domif-getlink update-memory-device",
		load: async () => (await import("./interfaces.ts")).interfaceCommands,
	},
	{
		group: "domain",
		names:
			"domfsinfo domfsfreeze domfsthaw domfstrim guestinfo guestvcpus set-user-password get-user-sshkeys set-user-sshkeys domtime domifaddr guest-agent-timeout",
		load: async () => (await import("./guest.ts")).guestCommands,
	},
	{
		group: "domain",
		names:
			"setvcpu dompmsuspend dompmwakeup set-lifecycle-action send-process-signal domdirtyrate-calc domlaunchsecinfo domsetlaunchsecstate domblkthreshold qemu-attach",
		load: async () => (await import("./control.ts")).controlCommands,
	},
	{
		group: "domain",
		names: "domjobinfo domjobabort",
		load: async () => (await import("./jobs.ts")).jobCommands,
	},
	{
		group: "domain",
		names: "ttyconsole vncdisplay domdisplay",
		load: async () => (await import("./display.ts")).displayCommands,
	},
	{
		group: "domain",
		names: "undefine",
		load: async () => (await import("./undefine.ts")).undefineCommands,
	},
	{
		group: "domain",
		names: "qemu-monitor-command qemu-agent-command dom-fd-associate",
		load: async () => (await import("./qemu.ts")).qemuCommands,
	},
	{
		group: "domain",
		names: "list dominfo domstate domid domname domuuid domcontrol domstats dommemstat domhostname",
		load: async () => (await import("./monitor.ts")).monitorCommands,
	},
	{
		group: "domain",
		names: "domblklist domblkinfo domblkstat domiflist domifstat domblkerror",
		load: async () => (await import("./devices.ts")).deviceCommands,
	},
	{
		group: "domain",
		names:
			"migrate migrate-setmaxdowntime migrate-getmaxdowntime migrate-compcache migrate-setspeed migrate-getspeed migrate-postcopy migrate-confirm",
		load: async () => (await import("./migrate.ts")).migrateCommands,
	},
	{
		group: "domain",
		names: "blockcommit blockpull blockcopy blockjob blockresize",
		load: async () => (await import("./block.ts")).blockCommands,
	},
	{
		group: "backup",
		names: "backup-begin backup-dumpxml",
		load: async () => (await import("./block.ts")).backupCommands,
	},
	{
		group: "snapshot",
		names:
			"snapshot-create snapshot-create-as snapshot-current snapshot-delete snapshot-dumpxml snapshot-edit snapshot-info snapshot-list snapshot-parent snapshot-revert",
		load: async () => (await import("./snapshots.ts")).snapshotCommands,
	},
	{
		group: "checkpoint",
		names:
			"checkpoint-create checkpoint-create-as checkpoint-delete checkpoint-dumpxml checkpoint-edit checkpoint-info checkpoint-list checkpoint-parent",
		load: async () => (await import("./checkpoints.ts")).checkpointCommands,
	},
	{
		group: "events",
		names: "event qemu-monitor-event",
		load: async () => (await import("./events.ts")).eventCommands,
	},
	{
		group: "host",
		names:
			"version nodeinfo nodecpustats nodememstats nodecpumap freecell freepages allocpages nodesuspend nodesevinfo domcapabilities cpu-models maxvcpus node-memory-tune capabilities hostname sysinfo uri",
		load: async () => (await import("./host.ts")).hostCommands,
	},
	{
		group: "virtkit",
		names: "vcpus",
		load: async () => (await import("./vcpus.ts")).vcpuCommands,
	},
	{
		group: "virtkit",
		names: "host",
		load: async () => (await import("./host-memory.ts")).hostMemoryCommands,
	},
	{
		group: "host",
		names: "cpu-compare cpu-baseline hypervisor-cpu-compare hypervisor-cpu-baseline",
		load: async () => (await import("./cpus.ts")).cpuCommands,
	},
	{
		group: "virtkit",
		names: "up demo-guest",
		load: async () => (await import("./up.ts")).upCommands,
	},
	{
		group: "virtkit",
		names: "explain completion complete manual",
		load: async () => (await import("./virtkit.ts")).virtkitCommands,
	},
	{
		group: "virsh",
		names: "help cd pwd echo quit exit connect",
		load: async () => (await import("./shell.ts")).shellCommands,
	},
];
