// qemu.conf: libvirt's format and names for the driver's settings, read into DriverSettings.

import { readFileSync } from "node:fs";
import { VirtError } from "@virtkit/base/errors";
import type { DriverSettings } from "./settings.ts";

type Value = string | number | readonly string[];

/** Our setting for each key that is honoured, with how its value is read. Other keys of libvirt's are reported and ignored. */
const KEYS: Readonly<
	Record<string, { readonly setting: keyof DriverSettings; readonly read: (value: Value) => unknown }>
> = {
	user: { setting: "user", read: String },
	group: { setting: "group", read: String },
	dynamic_ownership: { setting: "dynamicOwnership", read: (value) => value !== 0 },
	vnc_listen: { setting: "vncListen", read: String },
	spice_listen: { setting: "spiceListen", read: String },
	remote_display_port_min: { setting: "remoteDisplayPortMin", read: Number },
	remote_display_port_max: { setting: "remoteDisplayPortMax", read: Number },
	migration_port_min: { setting: "migrationPortMin", read: Number },
	migration_port_max: { setting: "migrationPortMax", read: Number },
	default_tls_x509_cert_dir: { setting: "defaultTlsX509CertDir", read: String },
	vnc_tls: { setting: "vncTls", read: (value) => value !== 0 },
	vnc_tls_x509_cert_dir: { setting: "vncTlsX509CertDir", read: String },
	vnc_tls_x509_verify: { setting: "vncTlsX509Verify", read: (value) => value !== 0 },
	vnc_sasl: { setting: "vncSasl", read: (value) => value !== 0 },
	vnc_sasl_dir: { setting: "vncSaslDir", read: String },
	vnc_password: { setting: "vncPassword", read: String },
	vnc_auto_unix_socket: { setting: "vncAutoUnixSocket", read: (value) => value !== 0 },
	spice_tls: { setting: "spiceTls", read: (value) => value !== 0 },
	spice_tls_x509_cert_dir: { setting: "spiceTlsX509CertDir", read: String },
	spice_sasl: { setting: "spiceSasl", read: (value) => value !== 0 },
	spice_sasl_dir: { setting: "spiceSaslDir", read: String },
	spice_password: { setting: "spicePassword", read: String },
	spice_auto_unix_socket: { setting: "spiceAutoUnixSocket", read: (value) => value !== 0 },
	chardev_tls: { setting: "chardevTls", read: (value) => value !== 0 },
	chardev_tls_x509_cert_dir: { setting: "chardevTlsX509CertDir", read: String },
	chardev_tls_x509_verify: { setting: "chardevTlsX509Verify", read: (value) => value !== 0 },
	backup_tls_x509_cert_dir: { setting: "backupTlsX509CertDir", read: String },
	backup_tls_x509_verify: { setting: "backupTlsX509Verify", read: (value) => value !== 0 },
	migrate_tls_x509_cert_dir: { setting: "migrateTlsX509CertDir", read: String },
	migrate_tls_x509_verify: { setting: "migrateTlsX509Verify", read: (value) => value !== 0 },
	migrate_tls_force: { setting: "migrateTlsForce", read: (value) => value !== 0 },
	swtpm_user: { setting: "swtpmUser", read: String },
	swtpm_group: { setting: "swtpmGroup", read: String },
	cgroup_device_acl: {
		setting: "cgroupDeviceAcl",
		read: (value) => (typeof value === "object" ? value : [String(value)]),
	},
	max_processes: { setting: "maxProcesses", read: Number },
	max_files: { setting: "maxFiles", read: Number },
	log_max_size: { setting: "logMaxSize", read: Number },
	log_max_backups: { setting: "logMaxBackups", read: Number },
	seccomp_sandbox: { setting: "seccompSandbox", read: (value) => value !== 0 },
	set_process_name: { setting: "setProcessName", read: (value) => value !== 0 },
	memory_backing_dir: { setting: "memoryBackingDir", read: String },
	hugetlbfs_mount: {
		setting: "hugetlbfsMounts",
		read: (value) => (typeof value === "object" ? value : value === "" ? [] : [String(value)]),
	},
	memory_overcommit_ratio: { setting: "memoryOvercommitRatio", read: (value) => readAbove(value, 0) },
	cpu_overcommit_ratio: { setting: "cpuOvercommitRatio", read: (value) => readAbove(value, 0) },
	memory_reserve: { setting: "memoryReserve", read: (value) => readAbove(value, -1) },
	memory_balancer: { setting: "memoryBalancer", read: (value) => value !== 0 },
	memory_balancer_interval: { setting: "memoryBalancerInterval", read: (value) => readAbove(value, 0) },
	memory_balancer_low: { setting: "memoryBalancerLow", read: (value) => readAbove(value, -1) },
	memory_balancer_high: { setting: "memoryBalancerHigh", read: (value) => readAbove(value, 0) },
	memory_floor_percent: { setting: "memoryFloorPercent", read: (value) => readAbove(value, -1) },
};

/** A number, also one with a decimal point, which libvirt's format has only as text: `"1.5"`. */
function readAbove(value: Value, least: number): number {
	const number = typeof value === "object" || value === "" ? Number.NaN : Number(value);
	if (number > least) return number;
	throw new VirtError("CONF_SYNTAX", `'${value}' is not a number above ${least}`, { domain: "CONF" });
}

/** What holds without a file. */
export const DEFAULT_SETTINGS: DriverSettings = {
	dynamicOwnership: true,
	vncListen: "127.0.0.1",
	spiceListen: "127.0.0.1",
	remoteDisplayPortMin: 5900,
	remoteDisplayPortMax: 65535,
	migrationPortMin: 49152,
	migrationPortMax: 49215,
	defaultTlsX509CertDir: "/etc/pki/qemu",
	logMaxSize: 2 * 1024 * 1024,
	logMaxBackups: 3,
	seccompSandbox: true,
	setProcessName: false,
	memoryBackingDir: "/var/lib/libvirt/qemu/ram",
	hugetlbfsMounts: ["/dev/hugepages"],
};

const LINE = /^\s*([a-z0-9_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|(-?\d+)|\[([^\]]*)\])\s*(?:#.*)?$/;

/**
 * Settings from the text of a qemu.conf. `report` hears of keys that are not honoured.
 * Throws CONF_SYNTAX naming file and line.
 */
export function parseSettings(text: string, file: string, report: (key: string) => void): Partial<DriverSettings> {
	const settings: Record<string, unknown> = {};
	// A list may span lines; everything else stands on one.
	const joined = text.replace(/\[[^\]]*\]/g, (list) => list.replaceAll("\n", " "));
	for (const [index, line] of joined.split("\n").entries()) {
		if (/^\s*(#.*)?$/.test(line)) continue;
		const match = LINE.exec(line);
		if (!match)
			throw new VirtError("CONF_SYNTAX", `${file}:${index + 1}: '${line.trim()}' is not of the form key = value`, {
				domain: "CONF",
			});
		const [, key = "", double, single, number, list] = match;
		const known = KEYS[key];
		if (!known) report(key);
		else settings[known.setting] = known.read(parseValue(double, single, number, list));
	}
	return settings;
}

function parseValue(double?: string, single?: string, number?: string, list?: string): Value {
	if (number !== undefined) return Number(number);
	if (list !== undefined) return [...list.matchAll(/"([^"]*)"/g)].map((item) => item[1] ?? "");
	return double?.replace(/\\(.)/g, "$1") ?? single ?? "";
}

/** Settings of a file, over the defaults; a file that is not there is none. */
export function readSettings(file: string, report: (key: string) => void): DriverSettings {
	let text: string;
	try {
		text = readFileSync(file, "utf8");
	} catch (cause) {
		if ((cause as NodeJS.ErrnoException).code === "ENOENT") return DEFAULT_SETTINGS;
		throw new VirtError("OPEN_FAILED", `cannot read settings '${file}': ${(cause as Error).message}`, {
			domain: "CONF",
			cause,
		});
	}
	return { ...DEFAULT_SETTINGS, ...parseSettings(text, file, report) };
}
