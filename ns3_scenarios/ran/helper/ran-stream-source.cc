/*
 * SPDX-License-Identifier: GPL-2.0-only
 */

#include "ran-stream-source.h"

#include "ns3/double.h"
#include "ns3/packet.h"
#include "ns3/simulator.h"
#include "ns3/socket.h"
#include "ns3/tcp-socket-base.h"
#include "ns3/tcp-socket-factory.h"
#include "ns3/tcp-tx-buffer.h"

namespace ns3
{

NS_OBJECT_ENSURE_REGISTERED(RanStreamSource);

namespace
{

/// Bytes that are written at once
constexpr uint32_t CHUNK_BYTES = 1400;
/// No more is written while so many bytes have not been sent for the first time
constexpr uint32_t UNSENT_BYTES = 64 * CHUNK_BYTES;

} // namespace

TypeId
RanStreamSource::GetTypeId()
{
    static TypeId tid = TypeId("ns3::RanStreamSource")
                            .SetParent<RanSource>()
                            .SetGroupName("Ran")
                            .AddConstructor<RanStreamSource>()
                            .AddAttribute("FullRate",
                                          "Rate of which a rate factor below 1 is a share, bit/s.",
                                          DoubleValue(100e6),
                                          MakeDoubleAccessor(&RanStreamSource::m_fullRate),
                                          MakeDoubleChecker<double>(1));
    return tid;
}

RanStreamSource::RanStreamSource() = default;
RanStreamSource::~RanStreamSource() = default;

void
RanStreamSource::DoDispose()
{
    m_next.Cancel();
    m_socket = nullptr;
    RanSource::DoDispose();
}

void
RanStreamSource::StartApplication()
{
    m_socket = Socket::CreateSocket(GetNode(), TcpSocketFactory::GetTypeId());
    m_socket->Bind();
    m_socket->SetConnectCallback(
        Callback<void, Ptr<Socket>>([this](Ptr<Socket>) {
            m_connected = true;
            Write();
        }),
        MakeNullCallback<void, Ptr<Socket>>());
    m_socket->TraceConnectWithoutContext("HighestSequence",
                                         MakeCallback(&RanStreamSource::HasSent, this));
    m_socket->SetSendCallback(MakeCallback(&RanStreamSource::HasRoom, this));
    m_socket->Connect(m_peer);
    m_socket->ShutdownRecv();
}

void
RanStreamSource::StopApplication()
{
    m_next.Cancel();
    m_connected = false;
    if (m_socket)
    {
        m_socket->Close();
    }
}

void
RanStreamSource::SetRateFactor(double factor)
{
    m_factor = factor;
    m_next.Cancel();
    Write();
}

bool
RanStreamSource::TakesMore() const
{
    const auto written = DynamicCast<TcpSocketBase>(m_socket)->GetTxBuffer()->TailSequence();
    return m_socket->GetTxAvailable() >= CHUNK_BYTES && written < m_sent + UNSENT_BYTES;
}

void
RanStreamSource::HasSent(SequenceNumber32 /* before */, SequenceNumber32 now)
{
    m_sent = now;
}

void
RanStreamSource::HasRoom(Ptr<Socket> /* socket */, uint32_t /* available */)
{
    if (m_factor >= 1)
    {
        Write();
    }
}

void
RanStreamSource::Write()
{
    if (!m_connected || m_factor <= 0)
    {
        return;
    }
    if (m_factor < 1)
    {
        if (TakesMore())
        {
            m_socket->Send(Create<Packet>(CHUNK_BYTES));
        }
        m_next = Simulator::Schedule(Seconds(8 * CHUNK_BYTES / (m_fullRate * m_factor)),
                                     &RanStreamSource::Write,
                                     this);
        return;
    }
    while (TakesMore())
    {
        if (m_socket->Send(Create<Packet>(CHUNK_BYTES)) < 0)
        {
            return;
        }
    }
}

} // namespace ns3
