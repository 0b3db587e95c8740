<#
.SYNOPSIS
Copies hostclaw from this folder to its place and adds that to PATH. It starts nothing and makes no service.

.DESCRIPTION
    powershell -ExecutionPolicy Bypass -File install.ps1            # for the machine; as administrator
    powershell -ExecutionPolicy Bypass -File install.ps1 -ForMe     # for this account alone

Every change is named and asked for first. -Confirm:$false makes them without asking, -WhatIf names them only.

.PARAMETER ForMe
Copies to %LOCALAPPDATA%\Programs\hostclaw and changes the account's own PATH; no administrator is needed. A service of
the machine should not run a program from there: its owner could change it.

.PARAMETER Destination
Another folder.
#>
[CmdletBinding(SupportsShouldProcess = $true, ConfirmImpact = 'High')]
param(
    [switch] $ForMe,
    [string] $Destination
)

Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

$source = Split-Path -Parent $MyInvocation.MyCommand.Path
$program = Join-Path $source 'hostclaw.exe'
if (-not (Test-Path -LiteralPath $program)) {
    Write-Error "hostclaw.exe is not beside this script: unpack the whole archive first"
}
if (-not $Destination) {
    $parent = if ($ForMe) { Join-Path $env:LOCALAPPDATA 'Programs' } else { $env:ProgramFiles }
    $Destination = Join-Path $parent 'hostclaw'
}
$Destination = [System.IO.Path]::GetFullPath($Destination)

$identity = New-Object Security.Principal.WindowsPrincipal ([Security.Principal.WindowsIdentity]::GetCurrent())
$elevated = $identity.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
if (-not $ForMe -and -not $elevated -and -not $WhatIfPreference) {
    Write-Error 'This needs an administrator: open PowerShell with "Run as administrator", or give -ForMe'
}

# A program that runs cannot be replaced. What runs is yours to stop.
$installed = Join-Path $Destination 'hostclaw.exe'
$running = @(Get-Process -Name hostclaw -ErrorAction SilentlyContinue | Where-Object { $_.Path -eq $installed })
if ($running.Count -gt 0) {
    Write-Error "hostclaw runs from $Destination; first: hostclaw node stop"
}

$copied = $false
if ($PSCmdlet.ShouldProcess($Destination, 'Copy hostclaw.exe, its completion and its documents')) {
    New-Item -ItemType Directory -Force -Path $Destination | Out-Null
    foreach ($name in 'hostclaw.exe', 'completion', 'doc') {
        Copy-Item -LiteralPath (Join-Path $source $name) -Destination $Destination -Recurse -Force
    }
    # A browser marks what it has downloaded, and Windows then asks about every start.
    Get-ChildItem -LiteralPath $Destination -Recurse -File | Unblock-File
    $copied = $true
    Write-Output "copied to $Destination"
}

# Through the registry: the usual function would replace the variables that stand in PATH by their values.
$root = if ($ForMe) { [Microsoft.Win32.Registry]::CurrentUser } else { [Microsoft.Win32.Registry]::LocalMachine }
$place = if ($ForMe) { 'Environment' } else { 'SYSTEM\CurrentControlSet\Control\Session Manager\Environment' }
$key = $root.OpenSubKey($place, $false)
$path = [string] $key.GetValue('Path', '', [Microsoft.Win32.RegistryValueOptions]::DoNotExpandEnvironmentNames)
$key.Close()
$there = @($path -split ';' | Where-Object { $_.TrimEnd('\') -eq $Destination.TrimEnd('\') })
if ($there.Count -eq 0) {
    $whose = if ($ForMe) { "this account's PATH" } else { "the machine's PATH" }
    if ($PSCmdlet.ShouldProcess($whose, "Add $Destination")) {
        $key = $root.OpenSubKey($place, $true)
        $longer = if ($path) { $path.TrimEnd(';') + ';' + $Destination } else { $Destination }
        $key.SetValue('Path', $longer, [Microsoft.Win32.RegistryValueKind]::ExpandString)
        $key.Close()
        # Setting a variable, also one that does not exist, tells running programs to read them anew.
        [Environment]::SetEnvironmentVariable('HOSTCLAW_PATH_HAS_CHANGED', $null, 'User')
        Write-Output "added to $whose; windows that are open keep the old one"
    }
}

if ($copied) {
    Write-Output ''
    Write-Output 'Nothing was started. Next, in a new window:'
    if ($ForMe) {
        Write-Output '  hostclaw node install --user --host GATEWAY     a task that runs the node while you are logged on'
    } else {
        Write-Output '  hostclaw node install --host GATEWAY            the service of this machine (as administrator)'
    }
    Write-Output '  hostclaw node run --host GATEWAY                the node in this window'
}
