/** Maintainer scripts: what dpkg runs. What they do is what debhelper's would, written out. */

const head = '#!/bin/sh\nset -e\n';
const units = ['ar-exec.service', 'ar-exec-firewall.service'];

/** Enabled unless an administrator has said otherwise. */
const enable = (unit: string) => `	deb-systemd-helper unmask ${unit} >/dev/null || true
	if deb-systemd-helper --quiet was-enabled ${unit}; then
		# It would say of each firewall that is not there that it is not there.
		deb-systemd-helper enable ${unit} >/dev/null 2>&1 || true
	else
		deb-systemd-helper update-state ${unit} >/dev/null || true
	fi
`;

const postinst = `${head}
# Whoever is in it may ask the agent.
make_group() {
	if command -v systemd-sysusers >/dev/null; then
		systemd-sysusers ar-exec.conf
	elif ! getent group ar-exec >/dev/null; then
		groupadd --system ar-exec
	fi
}

make_folders() {
	install -d -o root -g root -m 0700 /var/lib/ar-exec
	[ -d /var/log/ar-exec ] || install -d -o root -g root -m 0755 /var/log/ar-exec
}

case "$1" in
configure)
	make_group
	make_folders
	;;
esac

case "$1" in
configure | abort-upgrade | abort-deconfigure | abort-remove)
${units.map(enable).join('')}	update-rc.d ar-exec defaults >/dev/null || true
	# After an upgrade the new agent takes over what the old one held: nothing is taken back meanwhile.
	if [ -d /run/systemd/system ]; then
		systemctl --system daemon-reload >/dev/null || true
		if [ -n "$2" ]; then action=restart; else action=start; fi
		deb-systemd-invoke $action ar-exec.service >/dev/null || true
	elif [ -n "$2" ]; then
		invoke-rc.d ar-exec restart || true
	else
		invoke-rc.d ar-exec start || true
	fi
	;;
esac
exit 0
`;

/** An upgrade leaves the agent alone: postinst restarts it. */
const prerm = `${head}
if [ "$1" = remove ]; then
	if [ -d /run/systemd/system ]; then
		deb-systemd-invoke stop ar-exec-execq.socket ar-exec.service >/dev/null || true
	else
		invoke-rc.d ar-exec stop || true
	fi
	# Nobody would take it back any more. What cannot be taken back is named, and stays in the journal.
	ar-exec journal revert >/dev/null ||
		echo "ar-exec: not everything could be taken back; the journal in /var/lib/ar-exec has it" >&2
fi
exit 0
`;

const postrm = `${head}
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
	systemctl --system daemon-reload >/dev/null || true
fi
if [ "$1" = remove ] && command -v deb-systemd-helper >/dev/null; then
	deb-systemd-helper mask ${units.join(' ')} >/dev/null || true
fi
if [ "$1" = purge ]; then
	if command -v deb-systemd-helper >/dev/null; then
		deb-systemd-helper purge ${units.join(' ')} >/dev/null || true
		deb-systemd-helper unmask ${units.join(' ')} >/dev/null || true
	fi
	update-rc.d ar-exec remove >/dev/null || true
	rm -rf /var/lib/ar-exec /var/log/ar-exec
	rmdir /etc/ar-exec/responses /etc/ar-exec 2>/dev/null || true
	if getent group ar-exec >/dev/null; then groupdel ar-exec || true; fi
fi
exit 0
`;

export const debianScripts = { postinst, prerm, postrm } as const;
