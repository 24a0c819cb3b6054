/*
 * Listens on a pipe of the agent's name, as any account may where none runs. Says so, and says what it was
 * told.
 *
 *     squatter.exe <name of the pipe> <SDDL of its owner and access list>
 */
#include <windows.h>
#include <sddl.h>
#include <stdio.h>

int main(void)
{
    int count = 0;
    WCHAR **words = CommandLineToArgvW(GetCommandLineW(), &count);
    SECURITY_ATTRIBUTES whose = {sizeof whose, NULL, FALSE};
    char bytes[4096];
    DWORD length;
    if (count != 3) return 98;
    if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(words[2], 1, &whose.lpSecurityDescriptor, NULL)) return 97;
    for (;;) {
        HANDLE pipe = CreateNamedPipeW(words[1], PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE, PIPE_UNLIMITED_INSTANCES,
            4096, 4096, 0, &whose);
        if (pipe == INVALID_HANDLE_VALUE) return 96;
        printf("listens\n");
        fflush(stdout);
        if (!ConnectNamedPipe(pipe, NULL) && GetLastError() != ERROR_PIPE_CONNECTED) return 95;
        if (ReadFile(pipe, bytes, sizeof bytes, &length, NULL) && length > 0) printf("told %.*s\n", (int)length, bytes);
        fflush(stdout);
        CloseHandle(pipe);
    }
}
