// Names of signals by libvirt's numbers (virDomainProcessSignal), which are Linux's.

/** In the order of their numbers; 0 tests whether the process is there. */
export const SIGNALS: readonly string[] = [
	..."nop hup int quit ill trap abrt bus fpe kill usr1 segv usr2 pipe alrm term stkflt chld cont stop tstp ttin ttou".split(
		" ",
	),
	..."urg xcpu xfsz vtalrm prof winch poll pwr sys".split(" "),
	...Array.from({ length: 33 }, (_, index) => `rt${index}`),
];
