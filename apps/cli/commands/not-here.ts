// Commands of virsh's that are about what virtkit does not handle, with what that is, so that who asks for one is told.

const NOT_HERE: readonly (readonly [names: RegExp, what: string])[] = [
	[/^net-/, "virtual networks are not handled yet"],
	[/^(pool-|vol-|find-storage-pool-sources)/, "storage pools and volumes are not handled yet"],
	[/^nodedev-/, "the host's devices are not listed or prepared yet: <hostdev> names them by address"],
	[/^secret-/, "secrets are not kept yet"],
	[/^nwfilter-/, "network filters are not handled yet"],
	[/^iface-/, "the host's network interfaces are left to the host's own tools"],
	[/^lxc-enter-namespace$/, "containers are not handled yet"],
];

/** Why there is no command of that name where virsh has one; undefined where virsh has none either. */
export function whyNotHere(name: string): string | undefined {
	return NOT_HERE.find(([names]) => names.test(name))?.[1];
}
