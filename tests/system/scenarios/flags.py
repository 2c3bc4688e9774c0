# Each flag of each call, one at a time: which of the 32 a daemon refuses as unsupported.
NOWHERE = "/nowhere/file"
GUEST = xml("flags", f"""<disk type='file' device='disk'><source file='{NOWHERE}'/><target dev='vda' bus='virtio'/></disk>
<interface type='user'><mac address='52:54:00:00:00:01'/></interface><graphics type='vnc'/><channel type='unix'><target type='virtio' name='c'/></channel>""")


def defined():
    # Without the disk's file it does not start, whatever flags a start takes.
    try:
        return conn.lookupByName("flags")
    except libvirt.libvirtError:
        return conn.defineXML(GUEST)


def refused(call):
    """Bits that are refused as such, as a number."""
    mask = 0
    # The binding takes the last one in some calls and not in others.
    for bit in range(31):
        try:
            call(1 << bit)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_INVALID_ARG and "unsupported flags" in str(error):
                mask |= 1 << bit
        defined()
    return hex(mask)


stream = lambda: conn.newStream(0)
DOMAIN = {
    "createWithFlags": (), "shutdownFlags": (), "reboot": (), "reset": (), "destroyFlags": (),
    "pMSuspendForDuration": (0, 0), "pMWakeup": (), "injectNMI": (), "sendKey": (0, 0, [1], 1),
    "undefineFlags": (), "rename": ("flags2",), "XMLDesc": (), "setLifecycleAction": (0, 0),
    "setMemoryFlags": (65536,), "setVcpusFlags": (1,), "vcpusFlags": (), "setVcpu": ("0", 1), "guestVcpus": (),
    "setGuestVcpus": ("0", 1), "setMemoryStatsPeriod": (1,), "pinVcpuFlags": (0, (True,)), "vcpuPinInfo": (),
    "pinEmulator": ((True,),), "emulatorPinInfo": (), "schedulerParametersFlags": (), "memoryParameters": (),
    "blkioParameters": (), "numaParameters": (), "pinIOThread": (1, (True,)), "addIOThread": (9,), "delIOThread": (9,),
    "ioThreadInfo": (), "blockIoTune": ("vda",), "attachDeviceFlags": ("<toaster/>",), "detachDeviceFlags": ("<toaster/>",),
    "detachDeviceAlias": ("none",), "updateDeviceFlags": ("<toaster/>",), "saveFlags": (NOWHERE, None), "managedSave": (),
    "hasManagedSaveImage": (), "managedSaveRemove": (), "managedSaveGetXMLDesc": (), "managedSaveDefineXML": ("<domain/>",),
    "coreDump": (NOWHERE,), "coreDumpWithFormat": (NOWHERE, 0), "blockJobAbort": ("vda",), "blockJobInfo": ("vda",),
    "blockJobSetSpeed": ("vda", 1), "blockPull": ("vda", 1), "blockRebase": ("vda", None, 1), "blockCommit": ("vda", None, None, 1),
    "blockResize": ("vda", 1), "setBlockThreshold": ("vda", 1), "fsFreeze": (None,), "fsThaw": (None,), "fSTrim": (None, 0),
    "setUserPassword": ("a", "b"), "hostname": (), "getTime": (), "fsInfo": (), "guestInfo": (0,), "interfaceAddresses": (0,),
    "authorizedSSHKeysGet": ("a",), "agentSetResponseTimeout": (-1,), "messages": (), "memoryPeek": (0, 1), "blockPeek": ("vda", 0, 1),
    "startDirtyRateCalc": (1,), "jobStats": (), "abortJobFlags": (), "controlInfo": (), "state": (), "blockInfo": ("vda",),
    "blockStatsFlags": ("vda",), "diskErrors": (), "openGraphicsFD": (0,),
}
CALLS = {name: (lambda f, name=name, own=own: getattr(defined(), name)(*own, f)) for name, own in DOMAIN.items()}
CALLS |= {
    "metadata": lambda f: defined().metadata(0, None, f),
    "setMetadata": lambda f: defined().setMetadata(0, "title", None, None, f),
    "getCPUStats": lambda f: defined().getCPUStats(True, f),
    "setTime": lambda f: defined().setTime({"seconds": 1, "nseconds": 0}, f),
    "setSchedulerParametersFlags": lambda f: defined().setSchedulerParametersFlags({"cpu_shares": 1024}, f),
    "setMemoryParameters": lambda f: defined().setMemoryParameters({"hard_limit": 1 << 30}, f),
    "setBlkioParameters": lambda f: defined().setBlkioParameters({"weight": 500}, f),
    "setNumaParameters": lambda f: defined().setNumaParameters({"numa_mode": 0}, f),
    "setBlockIoTune": lambda f: defined().setBlockIoTune("vda", {"total_iops_sec": 0}, f),
    "blockCopy": lambda f: defined().blockCopy("vda", "<disk/>", {}, f),
    "interfaceParameters": lambda f: defined().interfaceParameters("52:54:00:00:00:01", f),
    "setInterfaceParameters": lambda f: defined().setInterfaceParameters("52:54:00:00:00:01", {"inbound.average": 1}, f),
    "setIOThreadParams": lambda f: defined().setIOThreadParams(1, {"poll-max-ns": 1}, f),
    "authorizedSSHKeysSet": lambda f: defined().authorizedSSHKeysSet("a", ["k"], f),
    "screenshot": lambda f: defined().screenshot(stream(), 0, f),
    "openConsole": lambda f: defined().openConsole(None, stream(), f),
    "openChannel": lambda f: defined().openChannel(None, stream(), f),
    "FDAssociate": lambda f: defined().FDAssociate("g", [0], f),
    "listAllDomains": lambda f: conn.listAllDomains(f),
    "createXML": lambda f: conn.createXML("<domain/>", f),
    "defineXMLFlags": lambda f: conn.defineXMLFlags("<domain/>", f),
    "saveImageGetXMLDesc": lambda f: conn.saveImageGetXMLDesc(NOWHERE, f),
    "saveImageDefineXML": lambda f: conn.saveImageDefineXML(NOWHERE, "<domain/>", f),
    "restoreFlags": lambda f: conn.restoreFlags(NOWHERE, None, f),
    "getAllDomainStats": lambda f: conn.getAllDomainStats(0, f),
    "domainXMLToNative": lambda f: conn.domainXMLToNative("qemu-argv", "<domain/>", f),
    "getDomainCapabilities": lambda f: conn.getDomainCapabilities(None, None, None, None, f),
    "compareCPU": lambda f: conn.compareCPU("<cpu/>", f),
    "baselineCPU": lambda f: conn.baselineCPU(["<cpu/>"], f),
    "compareHypervisorCPU": lambda f: conn.compareHypervisorCPU(None, None, None, None, "<cpu/>", f),
    "baselineHypervisorCPU": lambda f: conn.baselineHypervisorCPU(None, None, None, None, ["<cpu/>"], f),
    "getCPUModelNames": lambda f: conn.getCPUModelNames("x86_64", f),
    "getCPUMap": lambda f: conn.getCPUMap(f),
    "getFreePages": lambda f: conn.getFreePages([4], 0, 1, f),
    "getMemoryParameters": lambda f: conn.getMemoryParameters(f),
    "getSysinfo": lambda f: conn.getSysinfo(f),
    "getCPUStats of the host": lambda f: conn.getCPUStats(-1, f),
    "getMemoryStats": lambda f: conn.getMemoryStats(-1, f),
}
for name, call in CALLS.items():
    attempt(name, lambda: refused(call))
d = defined()
d.undefine()
print(json.dumps({"outcomes": outcomes, "events": []}))
