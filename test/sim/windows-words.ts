/**
 * What tools of Windows say, in two languages: nothing may depend on it. Texts of netsh are those of
 * authfwcfg.dll and netiohlp.dll as public issues quote them.
 */
import type { Answer, Call } from './simulator.ts';

const texts = {
  en: {
    ok: 'Ok.',
    deleted: 'Deleted % rule(s).',
    updated: 'Updated % rule(s).',
    noMatch: 'No rules match the specified criteria.',
    elevation: 'The requested operation requires elevation (Run as administrator).',
    service:
      'An error occurred while attempting to contact the Windows Defender Firewall service. Make sure that the service is running and try your request again.',
    missing:
      'One or more essential parameters were not entered.\r\nVerify the required parameters, and reenter them.',
    value: 'A specified value is not valid.',
    address: 'A specified IP address or address keyword is not valid.',
    argument: "'%' is not a valid argument for this command.",
    syntax: 'The syntax supplied for this command is not valid. Check help for the correct syntax.',
    usage: 'Usage: % rule name=<string>',
    notFound: 'The following command was not found: %.',
    parameter: 'The parameter is incorrect.',
    element: 'Element not found.',
    exists: 'The object already exists.',
    noKey: 'ERROR: The system was unable to find the specified registry key or value.',
    denied: 'ERROR: Access is denied.',
    noService: 'The specified service does not exist as an installed service.',
    routeOk: ' OK!',
    routeAdd: 'The route addition failed: %',
    routeDelete: 'The route deletion failed: %',
    onLink: 'On-link',
    interfaces: 'Interface List',
    table: 'IPv% Route Table',
    active: 'Active Routes:',
    persistent: 'Persistent Routes:',
    none: '  None',
    columns4: 'Network Destination        Netmask          Gateway       Interface  Metric',
    columns6: ' If Metric Network Destination      Gateway',
    kept4: '  Network Address          Netmask  Gateway Address  Metric',
    defaultMetric: 'Default',
    state: 'STATE',
    type: 'TYPE',
    connected: 'connected',
  },
  de: {
    ok: 'OK.',
    deleted: '% Regel(n) gelöscht.',
    updated: '% Regel(n) wurde(n) aktualisiert.',
    noMatch: 'Es stimmen keine Regeln mit den angegebenen Kriterien überein.',
    elevation: 'Der angeforderte Vorgang erfordert erhöhte Rechte (Als Administrator ausführen).',
    service:
      'Fehler beim Herstellen einer Verbindung mit dem Windows Defender Firewall-Dienst. Stellen Sie sicher, dass der Dienst ausgeführt wird.',
    missing: 'Mindestens ein erforderlicher Parameter wurde nicht eingegeben.',
    value: 'Ein angegebener Wert ist ungültig.',
    address: 'Eine angegebene IP-Adresse oder ein Adressschlüsselwort ist ungültig.',
    argument: '"%" ist kein gültiges Argument für diesen Befehl.',
    syntax: 'Die für diesen Befehl angegebene Syntax ist ungültig.',
    usage: 'Syntax: % rule name=<Zeichenfolge>',
    notFound: 'Der folgende Befehl wurde nicht gefunden: %.',
    parameter: 'Falscher Parameter.',
    element: 'Element nicht gefunden.',
    exists: 'Das Objekt ist bereits vorhanden.',
    noKey: 'FEHLER: Der angegebene Registrierungsschlüssel bzw. Wert wurde nicht gefunden.',
    denied: 'FEHLER: Zugriff verweigert',
    noService: 'Der angegebene Dienst ist kein installierter Dienst.',
    routeOk: ' OK!',
    routeAdd: 'Fehler bei der Routenaddition: %',
    routeDelete: 'Fehler bei der Routenlöschung: %',
    onLink: 'Auf Verbindung',
    interfaces: 'Schnittstellenliste',
    table: 'IPv%-Routentabelle',
    active: 'Aktive Routen:',
    persistent: 'Ständige Routen:',
    none: '  Keine',
    columns4: '     Netzwerkziel    Netzwerkmaske          Gateway    Schnittstelle Metrik',
    columns6: ' If Metrik Netzwerkziel             Gateway',
    kept4: '  Netzwerkadresse          Netzmaske  Gatewayadresse  Metrik',
    defaultMetric: 'Standard',
    state: 'STATUS',
    type: 'TYP',
    connected: 'Verbunden',
  },
} as const;

export type Words = Readonly<Record<keyof (typeof texts)['en'], string>>;

/** In the language that the switch `language` says. */
export function wordsOf({ switches }: Pick<Call, 'switches'>): Words {
  return texts[switches['language'] === 'de' ? 'de' : 'en'];
}

export function filled(text: string, value: string | number): string {
  return text.replace('%', String(value));
}

/** Lines end as they do on Windows. */
export function print(
  exitCode: number,
  lines: readonly string[],
  err: readonly string[] = [],
): Answer {
  const text = (all: readonly string[]): string => all.map((line) => `${line}\r\n`).join('');
  return { stdout: text(lines), stderr: text(err), exitCode };
}

/** What nobody has looked up is not guessed. */
export function unknown(what: string): Answer {
  return { stdout: '', stderr: `simulator: not known: ${what}\n`, exitCode: 99 };
}
