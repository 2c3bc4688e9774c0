// Numbers of what a connection, or the driver behind it, may be able to do (virDrvFeature), as far as both ends ask for them.

export const FEATURES = {
	FD_PASSING: 8,
	TYPED_PARAM_STRING: 9,
	/** A client that asks for it answers pings. */
	PROGRAM_KEEPALIVE: 10,
	/** Events carry callback ids. */
	REMOTE_EVENT_CALLBACK: 14,
	REMOTE_CLOSE_CALLBACK: 15,
	NETWORK_UPDATE_HAS_CORRECT_ORDER: 16,
} as const;
