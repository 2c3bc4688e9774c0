# Defining, finding, listing, renaming and removing domains, and everything that is refused about it.
d = attempt("define", lambda: conn.defineXML(xml("alpha")))
uuid = d.UUIDString()
attempt("define again", lambda: conn.defineXML(xml("alpha").replace("<name>", f"<uuid>{uuid}</uuid><name>")))
attempt("same name, another uuid", lambda: conn.defineXML(xml("alpha")))
attempt("same uuid, another name", lambda: conn.defineXML(xml("beta").replace("<name>", f"<uuid>{uuid}</uuid><name>")))
for label, text in {
    "empty": "",
    "not xml": "hello",
    "not closed": "<domain>",
    "another root": "<network/>",
    "no name": "<domain type='qemu'/>",
    "no type": "<domain><name>x</name></domain>",
    "unknown type": xml("x", type="nonsense"),
    "name with slash": xml("a/b"),
    "name with newline": xml("a\nb"),
    "empty name": xml(""),
    "no memory": xml("x").replace("<memory unit='MiB'>64</memory>", ""),
    "negative memory": xml("x", memory=-5),
    "memory no number": xml("x", memory="lots"),
    "memory without bound": xml("x", memory=99999999999999999999),
    "no os": "<domain type='qemu'><name>x</name><memory>65536</memory></domain>",
    "unknown arch": xml("x").replace("x86_64", "z80"),
    "unknown machine": xml("x").replace("q35", "toaster"),
    "bad uuid": xml("x").replace("<name>", "<uuid>123</uuid><name>"),
    "zero vcpus": xml("x").replace("<vcpu>1", "<vcpu>0"),
    "too many vcpus": xml("x").replace("<vcpu>1", "<vcpu>100000"),
    "disk without target": xml("x", "<disk type='file'><source file='/nonexistent'/></disk>"),
    "bad pci slot": xml("x", "<memballoon model='virtio'><address type='pci' domain='0' bus='0' slot='99' function='0'/></memballoon>"),
}.items():
    attempt("define: " + label, lambda: conn.defineXML(text))
attempt("validate refuses unknown", lambda: conn.defineXMLFlags(xml("x", "<nonsense/>"), libvirt.VIR_DOMAIN_DEFINE_VALIDATE))
unknown = attempt("unknown passes", lambda: conn.defineXML(xml("unknown", "<nonsense/>")))
attempt("undefine unknown", lambda: unknown.undefine())
attempt("undefine twice", lambda: unknown.undefine())
attempt("bad define flags", lambda: conn.defineXMLFlags(xml("x"), 1 << 20))
attempt("by name", lambda: conn.lookupByName("alpha").name())
attempt("by name, none", lambda: conn.lookupByName("nobody"))
attempt("by uuid", lambda: conn.lookupByUUIDString(uuid).name())
attempt("by uuid, none", lambda: conn.lookupByUUIDString("00000000-0000-4000-8000-000000000001"))
attempt("by id, none", lambda: conn.lookupByID(4711))
attempt("names defined", lambda: conn.listDefinedDomains())
attempt("count defined", lambda: conn.numOfDefinedDomains())
attempt("count active", lambda: conn.numOfDomains())
for flags in (0, 1, 2, 4, 8, 16, 32, 64, 1024, 2048, 256, 512):
    attempt(f"list {flags}", lambda: [one.name() for one in conn.listAllDomains(flags)])
attempt("list, bad flag", lambda: conn.listAllDomains(1 << 28))
attempt("autostart", lambda: d.autostart())
attempt("set autostart", lambda: d.setAutostart(1))
attempt("autostart now", lambda: d.autostart())
attempt("list autostart", lambda: [one.name() for one in conn.listAllDomains(1024)])
attempt("unset autostart", lambda: d.setAutostart(0))
attempt("rename", lambda: d.rename("gamma"))
d = conn.lookupByUUIDString(uuid)
attempt("renamed", lambda: d.name())
attempt("rename to slash", lambda: d.rename("a/b"))
attempt("rename to nothing", lambda: d.rename(""))
attempt("rename to itself", lambda: d.rename("gamma"))
for name, call in {
    "state": lambda: d.state(),
    "info": lambda: d.info(),
    "is active": lambda: d.isActive(),
    "is persistent": lambda: d.isPersistent(),
    "is updated": lambda: d.isUpdated(),
    "os type": lambda: d.OSType(),
    "max memory": lambda: d.maxMemory(),
    "max vcpus": lambda: d.maxVcpus(),
    "vcpus config": lambda: d.vcpusFlags(2),
    "vcpus live": lambda: d.vcpusFlags(1),
    "vcpus": lambda: d.vcpus(),
    "control info": lambda: d.controlInfo(),
    "job info": lambda: d.jobInfo()[0],
    "suspend": lambda: d.suspend(),
    "resume": lambda: d.resume(),
    "shutdown": lambda: d.shutdown(),
    "reboot": lambda: d.reboot(),
    "reset": lambda: d.reset(),
    "destroy": lambda: d.destroy(),
    "memory stats": lambda: d.memoryStats(),
    "screenshot": lambda: d.screenshot(conn.newStream(), 0),
    "console": lambda: d.openConsole(None, conn.newStream()),
    "save": lambda: d.save("/tmp/none"),
    "managed save": lambda: d.managedSave(),
    "has managed save": lambda: d.hasManagedSaveImage(),
    "remove managed save": lambda: d.managedSaveRemove(),
    "abort job": lambda: d.abortJob(),
    "hostname": lambda: d.hostname(),
    "inject nmi": lambda: d.injectNMI(),
    "send key": lambda: d.sendKey(0, 0, [1], 1, 0),
    "set memory live": lambda: d.setMemoryFlags(32768, 1),
    "set memory config": lambda: d.setMemoryFlags(32768, 2),
    "set memory too much": lambda: d.setMemoryFlags(1 << 40, 2),
    "set vcpus config": lambda: d.setVcpusFlags(1, 2),
    "set vcpus too many": lambda: d.setVcpusFlags(9, 2),
    "set max memory": lambda: d.setMaxMemory(131072),
    "max memory now": lambda: d.maxMemory(),
    "scheduler": lambda: d.schedulerType(),
    "bad xml flags": lambda: d.XMLDesc(1 << 20),
    "bad undefine flags": lambda: d.undefineFlags(1 << 20),
    "updated by all that": lambda: d.isUpdated(),
    "title": lambda: d.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, "a title", None, None, 2),
    "title with newline": lambda: d.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, "a\ntitle", None, None, 2),
    "get title": lambda: d.metadata(libvirt.VIR_DOMAIN_METADATA_TITLE, None, 2),
    "get description, none": lambda: d.metadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, None, 2),
    "element": lambda: d.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "<a b='c'><d/></a>", "pre", "http://example.org/x", 2),
    "get element": lambda: d.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "http://example.org/x", 2),
    "get element, none": lambda: d.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "http://example.org/y", 2),
    "element malformed": lambda: d.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, "<a>", "pre", "http://example.org/x", 2),
    "remove element": lambda: d.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, None, None, "http://example.org/x", 2),
}.items():
    attempt(name, call)
attempt("undefine", lambda: d.undefine())
attempt("state of the undefined", lambda: d.state())
ro = libvirt.openReadOnly(sys.argv[1].replace("libvirt-sock", "libvirt-sock-ro"))
attempt("read-only define", lambda: ro.defineXML(xml("x")))
attempt("read-only create", lambda: ro.createXML(xml("x"), 0))
attempt("read-only list", lambda: len(ro.listAllDomains(0)))
pump()
print(json.dumps({"outcomes": outcomes, "events": heard}))
