/*
 * Stands in the place of a tool of Windows (netsh.exe, route.exe, ...). It writes down how it was called,
 * the command line byte for byte as Windows got it, and ends as test/wine/recorder.ts answers.
 *
 *   C:\recorder\ID.call     UTF-16: the file that was run, NUL, the command line, NUL, the folder, NUL;
 *                           then what came on standard input
 *   C:\recorder\ID.answer   the exit code, the length of standard output, each in four bytes; then
 *                           standard output, then standard error
 */
#include <windows.h>
#include <stdio.h>

static void append(HANDLE file, const void *bytes, DWORD length)
{
    DWORD written;
    WriteFile(file, bytes, length, &written, NULL);
}

static void append_text(HANDLE file, const WCHAR *text)
{
    append(file, text, (DWORD)(lstrlenW(text) + 1) * sizeof(WCHAR));
}

static void append_input(HANDLE file)
{
    HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
    char bytes[4096];
    DWORD length;
    if (GetFileType(input) != FILE_TYPE_PIPE) return;
    while (ReadFile(input, bytes, sizeof bytes, &length, NULL) && length > 0) append(file, bytes, length);
}

static HANDLE await(const WCHAR *name)
{
    for (int waited = 0; waited < 60000; waited += 5) {
        HANDLE file = CreateFileW(name, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, NULL, OPEN_EXISTING, 0, NULL);
        if (file != INVALID_HANDLE_VALUE) return file;
        Sleep(5);
    }
    return INVALID_HANDLE_VALUE;
}

static void pass_on(HANDLE from, HANDLE to, DWORD limit)
{
    char bytes[65536];
    DWORD length;
    while (limit > 0 && ReadFile(from, bytes, limit < sizeof bytes ? limit : sizeof bytes, &length, NULL) && length > 0) {
        append(to, bytes, length);
        limit -= length;
    }
}

int main(void)
{
    WCHAR id[64], name[128], making[128], image[MAX_PATH], folder[MAX_PATH];
    DWORD head[2], length;
    wsprintfW(id, L"C:\\recorder\\%lu-%lu", GetTickCount(), GetCurrentProcessId());
    wsprintfW(making, L"%s.making", id);
    wsprintfW(name, L"%s.call", id);
    HANDLE call = CreateFileW(making, GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL);
    if (call == INVALID_HANDLE_VALUE) return 98;
    GetModuleFileNameW(NULL, image, MAX_PATH);
    GetCurrentDirectoryW(MAX_PATH, folder);
    append_text(call, image);
    append_text(call, GetCommandLineW());
    append_text(call, folder);
    append_input(call);
    CloseHandle(call);
    MoveFileW(making, name);
    wsprintfW(name, L"%s.answer", id);
    HANDLE answer = await(name);
    if (answer == INVALID_HANDLE_VALUE || !ReadFile(answer, head, sizeof head, &length, NULL)) return 99;
    pass_on(answer, GetStdHandle(STD_OUTPUT_HANDLE), head[1]);
    pass_on(answer, GetStdHandle(STD_ERROR_HANDLE), 0xffffffff);
    CloseHandle(answer);
    DeleteFileW(name);
    ExitProcess(head[0]);
}
