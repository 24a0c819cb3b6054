/*
 * Stands in the place of netapi32.dll, for what is asked of it about accounts: Wine's own knows one account,
 * which runs everything. The accounts are those in C:\accounts, in UTF-16, a line each that ends in a
 * newline: number, flags, name.
 */
#include <windows.h>
#include <stdlib.h>
#include <string.h>

struct account {
    WCHAR *name, *full_name, *comment;
    DWORD flags, number;
};

struct modals {
    WCHAR *name;
    SID *sid;
};

/* S-1-5-21-1-2-3 */
static struct { BYTE revision, count; SID_IDENTIFIER_AUTHORITY authority; DWORD parts[4]; } machine =
    {1, 4, {SECURITY_NT_AUTHORITY}, {21, 1, 2, 3}};
static WCHAR none[] = L"";
static WCHAR group[] = L"Users";

static WCHAR *read_all(void)
{
    HANDLE file = CreateFileW(L"C:\\accounts", GENERIC_READ, 7, NULL, OPEN_EXISTING, 0, NULL);
    DWORD length = GetFileSize(file, NULL), taken = 0;
    WCHAR *text = calloc(1, length + sizeof(WCHAR));
    ReadFile(file, text, length, &taken, NULL);
    CloseHandle(file);
    return text;
}

__declspec(dllexport) DWORD WINAPI NetUserEnum(const WCHAR *server, DWORD level, DWORD filter, BYTE **into,
    DWORD longest, DWORD *count, DWORD *total, DWORD *resume)
{
    WCHAR *text = read_all();
    struct account *accounts = calloc(100, sizeof *accounts);
    *count = 0;
    if (server || level != 20 || filter != 2) return ERROR_INVALID_LEVEL;
    while (*text && *count < 100) {
        struct account *one = &accounts[(*count)++];
        one->number = wcstoul(text, &text, 10);
        one->flags = wcstoul(text, &text, 10);
        one->full_name = one->comment = none;
        one->name = text + 1;
        text = wcschr(text, L'\n');
        *text++ = 0;
    }
    *total = *count;
    *into = (BYTE *)accounts;
    return 0;
}

__declspec(dllexport) DWORD WINAPI NetUserModalsGet(const WCHAR *server, DWORD level, BYTE **into)
{
    struct modals *modals = calloc(1, sizeof *modals);
    if (server || level != 2) return ERROR_INVALID_LEVEL;
    modals->name = none;
    modals->sid = (SID *)&machine;
    *into = (BYTE *)modals;
    return 0;
}

__declspec(dllexport) DWORD WINAPI NetUserGetLocalGroups(const WCHAR *server, const WCHAR *name, DWORD level,
    DWORD flags, BYTE **into, DWORD longest, DWORD *count, DWORD *total)
{
    WCHAR **groups = calloc(1, sizeof *groups);
    groups[0] = group;
    *count = *total = 1;
    *into = (BYTE *)groups;
    return 0;
}

__declspec(dllexport) DWORD WINAPI NetApiBufferFree(void *buffer)
{
    free(buffer);
    return 0;
}
