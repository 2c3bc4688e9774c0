// Which permissions a procedure needs: the rules that rows carry, and what they ask of one particular call.

/** Every kind of object and the permissions on it (libvirt's virAccessPerm). */
export const PERMISSIONS = {
	connect: [
		"getattr",
		"read",
		"write",
		"search_domains",
		"search_networks",
		"search_storage_pools",
		"search_node_devices",
		"search_interfaces",
		"search_secrets",
		"search_nwfilters",
		"search_nwfilter_bindings",
		"detect_storage_pools",
		"pm_control",
		"interface_transaction",
	],
	domain: [
		"getattr",
		"read",
		"write",
		"read_secure",
		"start",
		"stop",
		"reset",
		"save",
		"delete",
		"migrate",
		"checkpoint",
		"snapshot",
		"suspend",
		"hibernate",
		"core_dump",
		"pm_control",
		"init_control",
		"inject_nmi",
		"send_input",
		"send_signal",
		"fs_trim",
		"fs_freeze",
		"block_read",
		"block_write",
		"mem_read",
		"open_graphics",
		"open_device",
		"screenshot",
		"open_namespace",
		"set_time",
		"set_password",
	],
	interface: ["getattr", "read", "write", "save", "delete", "start", "stop"],
	network: ["getattr", "read", "write", "save", "delete", "start", "stop", "search_ports"],
	network_port: ["getattr", "read", "write", "create", "delete"],
	node_device: ["getattr", "read", "write", "start", "stop", "detach", "delete", "save"],
	nwfilter: ["getattr", "read", "write", "save", "delete"],
	nwfilter_binding: ["getattr", "read", "create", "delete"],
	secret: ["getattr", "read", "write", "read_secure", "save", "delete"],
	storage_pool: [
		"getattr",
		"read",
		"write",
		"save",
		"delete",
		"start",
		"stop",
		"refresh",
		"search_storage_vols",
		"format",
	],
	storage_vol: ["getattr", "read", "create", "delete", "format", "resize", "data_read", "data_write"],
} as const;

/** An object and a permission on it, as `domain:start`. */
export type Permission = {
	[O in keyof typeof PERMISSIONS]: `${O}:${(typeof PERMISSIONS)[O][number]}`;
}[keyof typeof PERMISSIONS];

/** A permission that only some calls of a procedure need, depending on an argument. */
interface ConditionalRule {
	readonly permission: Permission;
	readonly argument: string;
	/** `all`: needed when every bit of `value` is set; `none`: when no bit of it is; `equal`: when it is the argument. */
	readonly test: "all" | "none" | "equal";
	readonly value: number;
}

export type AccessRule = Permission | ConditionalRule;
export type AccessFilter = Permission;

/** `permission` is needed when all of `flags` are set in the call's flags. */
export function ifFlags(permission: Permission, flags: number): AccessRule {
	return { permission, argument: "flags", test: "all", value: flags };
}

/** `permission` is needed when none of `flags` is set in the call's flags. */
export function unlessFlags(permission: Permission, flags: number): AccessRule {
	return { permission, argument: "flags", test: "none", value: flags };
}

/** `permission` is needed when the argument named has this value. */
export function ifArgument(permission: Permission, argument: string, value: number): AccessRule {
	return { permission, argument, test: "equal", value };
}

/** The flags that rules ask for, by libvirt's names without VIR_. */
export const FLAGS = {
	DOMAIN_AFFECT_LIVE: 1 << 0,
	DOMAIN_AFFECT_CONFIG: 1 << 1,
	DOMAIN_XML_SECURE: 1 << 0,
	DOMAIN_XML_MIGRATABLE: 1 << 3,
	DOMAIN_SAVE_IMAGE_XML_SECURE: 1 << 0,
	DOMAIN_SNAPSHOT_XML_SECURE: 1 << 0,
	DOMAIN_CHECKPOINT_XML_SECURE: 1 << 0,
	DOMAIN_SNAPSHOT_CREATE_QUIESCE: 1 << 6,
	DOMAIN_CHECKPOINT_CREATE_QUIESCE: 1 << 1,
	DOMAIN_SHUTDOWN_GUEST_AGENT: 1 << 1,
	DOMAIN_REBOOT_GUEST_AGENT: 1 << 1,
	DOMAIN_VCPU_GUEST: 1 << 3,
	NETWORK_UPDATE_AFFECT_LIVE: 1 << 0,
	NETWORK_UPDATE_AFFECT_CONFIG: 1 << 1,
	NODE_DEVICE_UPDATE_AFFECT_LIVE: 1 << 0,
	NODE_DEVICE_UPDATE_AFFECT_CONFIG: 1 << 1,
	/** Not a flag but a value: virDomainInterfaceAddressesSource. */
	DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT: 1,
} as const;

/** Changing a domain; saving too, when the change is to its definition (asked for, or what no flag means at rest). */
export const DOMAIN_CHANGE: readonly AccessRule[] = [
	"domain:write",
	unlessFlags("domain:save", FLAGS.DOMAIN_AFFECT_CONFIG | FLAGS.DOMAIN_AFFECT_LIVE),
	ifFlags("domain:save", FLAGS.DOMAIN_AFFECT_CONFIG),
];

/** The permissions that a call with these arguments needs. */
export function requiredPermissions(rules: readonly AccessRule[], args: unknown): Permission[] {
	const needed: Permission[] = [];
	for (const rule of rules) {
		if (typeof rule === "string") needed.push(rule);
		else if (applies(rule, args)) needed.push(rule.permission);
	}
	return needed;
}

function applies(rule: ConditionalRule, args: unknown): boolean {
	const given = (args as Readonly<Record<string, unknown>>)[rule.argument];
	if (typeof given !== "number") return true;
	switch (rule.test) {
		case "all":
			return (given & rule.value) === rule.value;
		case "none":
			return (given & rule.value) === 0;
		case "equal":
			return given === rule.value;
	}
}
