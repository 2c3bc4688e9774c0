// The driver's settings (qemu.conf): what a host's administrator decides for all guests.

/** Settings with libvirt's qemu.conf names in camel case. */
export interface DriverSettings {
	/** User and group that QEMU runs as; undefined runs it as the daemon's own user. */
	readonly user?: string;
	readonly group?: string;
	/** Change the owner of a guest's files at start and give it back at stop. */
	readonly dynamicOwnership: boolean;
	readonly vncListen: string;
	readonly spiceListen: string;
	readonly remoteDisplayPortMin: number;
	readonly remoteDisplayPortMax: number;
	/** Ports that incoming migrations listen at where nobody names one. */
	readonly migrationPortMin: number;
	readonly migrationPortMax: number;
	/** Folder of the default VNC/chardev TLS certificates. */
	readonly defaultTlsX509CertDir: string;
	/** TLS of VNC: on where true, with the certificates of a folder, asking clients for one unless false. */
	readonly vncTls?: boolean;
	readonly vncTlsX509CertDir?: string;
	readonly vncTlsX509Verify?: boolean;
	/** SASL authentication of VNC clients, with the configuration in a folder. */
	readonly vncSasl?: boolean;
	readonly vncSaslDir?: string;
	/** Password of VNC consoles that have none of their own. */
	readonly vncPassword?: string;
	/** VNC listens on a UNIX socket unless the definition names an address. */
	readonly vncAutoUnixSocket?: boolean;
	/** The same of SPICE. */
	readonly spiceTls?: boolean;
	readonly spiceTlsX509CertDir?: string;
	readonly spiceSasl?: boolean;
	readonly spiceSaslDir?: string;
	readonly spicePassword?: string;
	readonly spiceAutoUnixSocket?: boolean;
	/** Certificates of the NBD servers of backups, which ask clients for one unless false. */
	readonly backupTlsX509CertDir?: string;
	readonly backupTlsX509Verify?: boolean;
	/** TLS of TCP character devices that do not say. */
	readonly chardevTls?: boolean;
	readonly chardevTlsX509CertDir?: string;
	readonly chardevTlsX509Verify?: boolean;
	/** TLS of migrations: their certificates, whether each side must show one, and whether they go without it. */
	readonly migrateTlsX509CertDir?: string;
	readonly migrateTlsX509Verify?: boolean;
	readonly migrateTlsForce?: boolean;
	/** Who TPM emulators run as, where the daemon is root; `tss` unless told. */
	readonly swtpmUser?: string;
	readonly swtpmGroup?: string;
	/** Device nodes that every guest may use; libvirt's list where absent. */
	readonly cgroupDeviceAcl?: readonly string[];
	readonly maxProcesses?: number;
	readonly maxFiles?: number;
	/** Bytes of a guest's console log file before it is rotated, and rotated files kept. */
	readonly logMaxSize: number;
	readonly logMaxBackups: number;
	/** -sandbox on unless false. */
	readonly seccompSandbox: boolean;
	readonly setProcessName: boolean;
	/** Whether core dumps of the emulator hold guest memory unless the definition says; off where absent. */
	readonly dumpGuestCore?: boolean;
	/** Where backing memory files and hugepages live. */
	readonly memoryBackingDir: string;
	readonly hugetlbfsMounts: readonly string[];
	/** What guests may be promised, as a multiple of the host's memory and CPUs; without limit where absent. */
	readonly memoryOvercommitRatio?: number;
	readonly cpuOvercommitRatio?: number;
	/** MiB of the host's memory that are not for guests. */
	readonly memoryReserve?: number;
	/** Move balloons by the host's need; off unless told. */
	readonly memoryBalancer?: boolean;
	/** Seconds between its rounds. */
	readonly memoryBalancerInterval?: number;
	/** Percent of the host's memory available below which guests give some, and above which they get it back. */
	readonly memoryBalancerLow?: number;
	readonly memoryBalancerHigh?: number;
	/** Percent of its wanted memory that a guest always keeps, unless its metadata declare a floor. */
	readonly memoryFloorPercent?: number;
}
